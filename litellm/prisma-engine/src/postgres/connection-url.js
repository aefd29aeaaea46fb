/**
 * A Prisma connection URL for Postgres, read the way Prisma documents it:
 * https://www.prisma.io/docs/orm/overview/databases/postgresql#arguments
 *
 * node-postgres reads other options from a URL (and other defaults), so none of it is left to it.
 */
import { availableParallelism } from 'node:os';
import { tlsOptions } from './tls-options.js';

/**
 * @typedef {object} ConnectionOptions
 * @property {string} host name, address, or the folder of a Unix socket
 * @property {number} port
 * @property {string} user
 * @property {string} password
 * @property {string} database
 * @property {string} schema the Postgres schema that Prisma's tables live in
 * @property {number} connectionLimit
 * @property {number} poolTimeoutMs how long a query waits for a free connection, 0 = for ever
 * @property {number} connectTimeoutMs 0 = for ever
 * @property {number} socketTimeoutMs how long one query may take, 0 = for ever
 * @property {boolean} pgbouncer a pooler that takes no `options` parameter at start is in between
 * @property {string} applicationName
 * @property {string} startupOptions what the user gave as `options`
 * @property {import('./tls-options.js').TlsChoice} tls
 */

/** A URL that cannot be used. The message never holds the URL: it contains the password. */
export class ConnectionUrlError extends Error {}

/**
 * @param {string} text
 * @returns {ConnectionOptions}
 * @throws {ConnectionUrlError}
 */
export function parseConnectionUrl(text) {
  const url = parseUrl(text);
  const params = url.searchParams;
  return {
    host: params.get('host') || bareHost(url.hostname) || 'localhost',
    port: Number(url.port) || 5432,
    user: decode(url.username, 'user name'),
    password: decode(url.password, 'password'),
    database: decode(url.pathname.slice(1), 'database name') || 'postgres',
    schema: params.get('schema') || 'public',
    // Prisma's defaults: https://www.prisma.io/docs/orm/prisma-client/setup-and-configuration/databases-connections/connection-pool
    connectionLimit: number(params, 'connection_limit', availableParallelism() * 2 + 1, 1),
    poolTimeoutMs: number(params, 'pool_timeout', 10) * 1000,
    connectTimeoutMs: number(params, 'connect_timeout', 5) * 1000,
    socketTimeoutMs: number(params, 'socket_timeout', 0) * 1000,
    pgbouncer: params.get('pgbouncer') === 'true',
    applicationName: params.get('application_name') || 'prisma',
    startupOptions: params.get('options') || '',
    tls: tlsOptions(params),
  };
}

/** @param {string} text */
function parseUrl(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    throw new ConnectionUrlError(
      'the database URL cannot be parsed: percent-encode special characters in user and password',
    );
  }
  if (url.protocol !== 'postgresql:' && url.protocol !== 'postgres:') {
    throw new ConnectionUrlError('the database URL must start with the protocol `postgresql://` or `postgres://`');
  }
  return url;
}

/**
 * An IPv6 address without the URL's brackets.
 * @param {string} hostname
 */
const bareHost = (hostname) => decode(hostname, 'host').replace(/^\[(.*)\]$/, '$1');

/**
 * @param {string} text
 * @param {string} what
 */
function decode(text, what) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConnectionUrlError(`the ${what} in the database URL is not percent-encoded: write % as %25`);
  }
}

/**
 * @param {URLSearchParams} params
 * @param {string} name
 * @param {number} fallback
 * @param {number} [least]
 */
function number(params, name, fallback, least = 0) {
  const text = params.get(name);
  if (text === null || text === '') return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new ConnectionUrlError(`${name} in the database URL must be a whole number of at least ${least}`);
  }
  return value;
}

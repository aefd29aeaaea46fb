/**
 * Errors that keep a connection from coming about or end it, with Prisma's codes and texts:
 * https://www.prisma.io/docs/orm/reference/error-reference
 *
 * They do not use the engines' own error kinds, since for a raw query those all become P2010.
 */
import { KnownError } from './error-registry.js';

/** @typedef {import('./connection-url.js').ConnectionOptions} ConnectionOptions */
/** @typedef {import('./driver-errors.js').DriverError} DriverError */

const NOT_REACHED = new Set([
  'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENOENT', 'EACCES',
]);
const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT']);

// Texts of errors that node-postgres makes itself, which have no code.
const CONNECT_TIMEOUT = new Set(['timeout expired', 'Connection terminated due to connection timeout']);
const QUERY_TIMEOUT = 'Query read timeout';
const CLOSED = new Set([
  'Connection terminated', 'Connection terminated unexpectedly', 'Client was closed and is not queryable',
  'Client has encountered a connection error and is not queryable',
]);
const NO_TLS = new Set([
  'The server does not support SSL connections', 'There was an error establishing an SSL connection',
]);

/** Shutdown, crash, and the timeouts that end a session; class 08 comes on top. */
const SESSION_ENDS = new Set(['57P01', '57P02', '57P05', '25P03', '25P04']);

/** @param {string} state */
const endsSession = (state) => state.startsWith('08') || SESSION_ENDS.has(state);

/**
 * True when the connection cannot be used again.
 * @param {unknown} error
 */
export function breaksConnection(error) {
  const { code, severity } = /** @type {DriverError} */ (error);
  if (severity === undefined) return true;
  return severity === 'FATAL' || severity === 'PANIC' || endsSession(code ?? '');
}

/** @param {ConnectionOptions} options */
export function poolTimeout({ poolTimeoutMs, connectionLimit }) {
  const seconds = poolTimeoutMs / 1000;
  return new KnownError(
    'P2024',
    'Timed out fetching a new connection from the connection pool. More info: http://pris.ly/d/connection-pool ' +
      `(Current connection pool timeout: ${seconds}, connection limit: ${connectionLimit})`,
    { connection_limit: connectionLimit, timeout: seconds },
  );
}

/**
 * @param {DriverError} error
 * @param {ConnectionOptions} options
 * @returns {Error}
 */
export function connectionError(error, options) {
  if (error.severity !== undefined) return sessionError(error, options);
  const { code = '', message } = error;
  if (isRefused(error) || CONNECT_TIMEOUT.has(message)) return notReached(options);
  if (message === QUERY_TIMEOUT) return timedOut(options);
  if (BROKEN.has(code) || CLOSED.has(message)) return closed();
  if (NO_TLS.has(message) || /CERT|TLS|SSL|ISSUER|SIGNATURE/.test(code)) {
    return new KnownError('P1011', `Error opening a TLS connection: ${message}`, { message });
  }
  return error;
}

/**
 * A name may stand for several addresses; then each attempt's error is in `errors`.
 * @param {DriverError} error
 * @returns {boolean}
 */
const isRefused = (error) =>
  NOT_REACHED.has(error.code ?? '') || error.syscall === 'connect' || (error.errors ?? []).some(isRefused);

/**
 * What the server said as it refused or ended the session.
 * @param {DriverError} error
 * @param {ConnectionOptions} options
 */
function sessionError({ code = '', message, severity }, options) {
  const { host, user, database } = options;
  const server = `\`${host}\``;
  switch (code) {
    case '28P01':
      return new KnownError(
        'P1000',
        `Authentication failed against database server at ${server}, the provided database credentials for ` +
          `\`${user}\` are not valid.\n\nPlease make sure to provide valid database credentials for the ` +
          `database server at ${server}.`,
        { database_user: user, database_host: host },
      );
    case '28000':
      return new KnownError(
        'P1010',
        `User \`${user}\` was denied access on the database \`${database}\`: ${message}`,
        { database_user: user, database_name: database },
      );
    case '3D000':
      return new KnownError(
        'P1003',
        `Database \`${database}\` does not exist on the database server at \`${address(options)}\`.`,
        { database_name: database, database_location: address(options) },
      );
    case '53300':
      return new KnownError('P2037', `Too many database connections opened: ${message}`, { message });
    case '57P03':
      return notReached(options);
    default:
      return endsSession(code) ? closed() : new KnownError('P1017', `${severity}: ${message}`, { code, message });
  }
}

/** @param {ConnectionOptions} options */
const address = ({ host, port }) => `${host}:${port}`;

const closed = () => new KnownError('P1017', 'Server has closed the connection.');

/** @param {ConnectionOptions} options */
function notReached(options) {
  const server = `\`${address(options)}\``;
  return new KnownError(
    'P1001',
    `Can't reach database server at ${server}\n\nPlease make sure your database server is running at ${server}.`,
    { database_location: address(options) },
  );
}

/** @param {ConnectionOptions} options */
function timedOut({ socketTimeoutMs }) {
  const time = `${socketTimeoutMs / 1000}s`;
  return new KnownError('P1008', `Operations timed out after ${time}`, { time });
}

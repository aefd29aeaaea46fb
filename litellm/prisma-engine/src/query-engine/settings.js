/**
 * Command line and environment, as prisma-client-py 0.15 starts the engine (prisma/engine/_query.py):
 * `query-engine -p PORT --enable-metrics --enable-raw-queries`, with PRISMA_DML_PATH and, when the
 * program set a datasource, OVERWRITE_DATASOURCES.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/**
 * @typedef {object} Settings
 * @property {string} host
 * @property {number} port
 * @property {string} datamodel text of the Prisma schema
 * @property {string} url of the database
 * @property {boolean} rawQueries
 * @property {boolean} logQueries
 */

/** Wrong arguments or environment; the message says which. */
export class SettingsError extends Error {}

/** The native engine's options that this one knows; the others are accepted and mean nothing. */
const OPTIONS = /** @type {const} */ ({
  host: { type: 'string', short: 'H', default: '127.0.0.1' },
  port: { type: 'string', short: 'p', default: '4466' },
  'enable-raw-queries': { type: 'boolean', short: 'r', default: false },
  'datamodel-path': { type: 'string' },
  version: { type: 'boolean', short: 'V', default: false },
});

/** @param {string[]} args */
export function parseCommandLine(args) {
  return parseArgs({ args, options: OPTIONS, strict: false }).values;
}

/**
 * @param {ReturnType<typeof parseCommandLine>} values
 * @param {NodeJS.ProcessEnv} env
 * @returns {Settings}
 * @throws {SettingsError}
 */
export function readSettings(values, env) {
  const datamodel = readDatamodel(String(values['datamodel-path'] ?? env.PRISMA_DML_PATH ?? ''), env.PRISMA_DML);
  return {
    host: String(values.host),
    port: Number(values.port),
    datamodel,
    url: databaseUrl(datamodel, env),
    rawQueries: values['enable-raw-queries'] === true,
    logQueries: Boolean(env.LOG_QUERIES),
  };
}

/**
 * @param {string} path
 * @param {string | undefined} encoded the schema itself in Base64
 */
function readDatamodel(path, encoded) {
  if (path) return readFileSync(path, 'utf8');
  if (encoded) return Buffer.from(encoded, 'base64').toString('utf8');
  throw new SettingsError('no Prisma schema given: set PRISMA_DML_PATH to its path');
}

/**
 * @param {string} datamodel
 * @param {NodeJS.ProcessEnv} env
 */
function databaseUrl(datamodel, env) {
  const override = overriddenUrl(env.OVERWRITE_DATASOURCES);
  if (override) return override;
  const [, variable, literal] = /^\s*url\s*=\s*(?:env\(\s*"([^"]+)"\s*\)|"([^"]+)")/m.exec(datamodel) ?? [];
  if (literal) return literal;
  const url = env[variable ?? 'DATABASE_URL'];
  if (url) return url;
  throw new SettingsError(`environment variable not found: ${variable ?? 'DATABASE_URL'}`);
}

/** @param {string | undefined} text JSON `[{"name": …, "url": …}]`, perhaps in Base64 */
function overriddenUrl(text) {
  if (!text) return undefined;
  const json = text.trimStart().startsWith('[') ? text : Buffer.from(text, 'base64').toString('utf8');
  try {
    return JSON.parse(json)[0]?.url;
  } catch {
    throw new SettingsError('OVERWRITE_DATASOURCES is not the JSON list of {"name", "url"} that it should be');
  }
}

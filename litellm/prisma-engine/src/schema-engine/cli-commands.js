/** What the Prisma CLI runs before the first migration: is the database there, and if not, make it. */
import { parseConnectionUrl } from '../postgres/connection-url.js';
import { KnownError } from '../postgres/error-registry.js';
import { log } from './log.js';
import { Session } from './session.js';

/** @typedef {import('../postgres/connection-url.js').ConnectionOptions} ConnectionOptions */

/** @type {Record<string, (options: ConnectionOptions) => Promise<void>>} */
const COMMANDS = {
  'can-connect-to-database': (options) => run(options, 'SELECT 1'),
  'create-database': createDatabase,
};

/**
 * @param {string} command
 * @param {string} url
 * @returns {Promise<number>} exit code
 */
export async function runCliCommand(command, url) {
  log('INFO', 'Starting schema engine CLI');
  try {
    const act = COMMANDS[command];
    if (!act) throw new Error(`unknown command ${command}`);
    await act(parseConnectionUrl(url));
    return 0;
  } catch (error) {
    const { message, code, meta } = /** @type {any} */ (error);
    log('ERROR', message, { error_code: code, is_panic: false, meta: meta ?? {} });
    return 1;
  }
}

/** @param {ConnectionOptions} options */
async function createDatabase(options) {
  const name = `"${options.database.replaceAll('"', '""')}"`;
  try {
    await run({ ...options, database: 'postgres' }, `CREATE DATABASE ${name}`);
  } catch (error) {
    throw new KnownError(
      'P1003',
      `Database \`${options.database}\` does not exist on the database server at \`${options.host}:${options.port}\`, ` +
        `and the user \`${options.user}\` cannot create it: ${/** @type {Error} */ (error).message}`,
    );
  }
}

/**
 * @param {ConnectionOptions} options
 * @param {string} sql
 */
async function run(options, sql) {
  const session = new Session(options);
  try {
    await session.use((client) => client.query(sql));
  } finally {
    await session.close();
  }
}

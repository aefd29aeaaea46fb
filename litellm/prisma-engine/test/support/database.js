/** Databases for tests: each suite makes one of its own on the server of TEST_DATABASE_URL and drops it. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

const SERVER = process.env.TEST_DATABASE_URL;

/** For node:test's `skip`: false, or the reason. The role needs the right to create databases. */
export const noDatabase = SERVER
  ? false
  : 'TEST_DATABASE_URL is not set: give a Postgres server whose role may create databases';

/**
 * @typedef {object} TestDatabase
 * @property {string} url
 * @property {(text: string, values?: unknown[]) => Promise<any[]>} sql plain SQL, without the engine
 * @property {() => Promise<void>} drop
 */

/** @returns {Promise<TestDatabase>} */
export async function createDatabase() {
  const name = `prisma_engine_test_${randomBytes(6).toString('hex')}`;
  await onServer(`CREATE DATABASE ${name}`);
  const url = new URL(/** @type {string} */ (SERVER));
  url.pathname = `/${name}`;
  const client = new pg.Client({ connectionString: url.href });
  client.on('error', () => {});
  await client.connect();
  return {
    url: url.href,
    sql: async (text, values) => (await client.query(text, values)).rows,
    drop: async () => {
      await client.end();
      await onServer(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

/** @param {string} statement */
async function onServer(statement) {
  const client = new pg.Client({ connectionString: SERVER });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/**
 * @param {string} url
 * @param {Record<string, string | number>} params
 */
export function withParams(url, params) {
  const changed = new URL(url);
  for (const [name, value] of Object.entries(params)) changed.searchParams.set(name, String(value));
  return changed.href;
}

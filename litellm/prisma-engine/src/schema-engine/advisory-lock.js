/**
 * The lock that keeps two migrations apart: https://pris.ly/d/migrate-advisory-locking
 *
 * The engine itself waits inside `SELECT pg_advisory_lock(…)`. A session that waits there holds a
 * snapshot, and the CREATE INDEX CONCURRENTLY of the session that has the lock waits for that
 * snapshot: two first starts at once deadlock (40P01). So the lock is asked for again and again in
 * short statements before the engine wants it; it is re-entrant, and the engine gets it at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { KnownError } from '../postgres/error-registry.js';

/** Prisma's own number, so that native engines and this one respect each other. */
const LOCK = 72707369;
const POLL_MS = 200;
/** The native engine gives up after 10 s, less than LiteLLM's first migration takes on a slow disk. */
const DEFAULT_TIMEOUT_SECONDS = 120;

/**
 * @param {import('pg').ClientBase} client
 * @param {{ host: string, port: number }} server
 * @param {NodeJS.ProcessEnv} [env]
 * @throws {KnownError} P1002 when another migration does not end in time
 */
export async function takeMigrationLock(client, { host, port }, env = process.env) {
  if (env.PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK) return;
  const timeoutMs = Number(env.PRISMA_SCHEMA_LOCK_TIMEOUT || DEFAULT_TIMEOUT_SECONDS) * 1000;
  const start = performance.now();
  while (!(await tryLock(client))) {
    if (performance.now() - start > timeoutMs) throw lockTimeout(`${host}:${port}`, timeoutMs);
    await sleep(POLL_MS);
  }
}

/** @param {import('pg').ClientBase} client */
async function tryLock(client) {
  const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS locked', [LOCK]);
  return rows[0].locked === true;
}

/**
 * @param {string} server
 * @param {number} elapsedMs
 */
function lockTimeout(server, elapsedMs) {
  return new KnownError(
    'P1002',
    `The database server at \`${server}\` was reached but timed out.\n\nPlease try again.\n\n` +
      `Please make sure your database server is running at \`${server}\`.\n\n` +
      `Context: Timed out trying to acquire a postgres advisory lock (SELECT pg_advisory_lock(${LOCK})). ` +
      `Elapsed: ${elapsedMs}ms. See https://pris.ly/d/migrate-advisory-locking for details.`,
    { database_location: server },
  );
}

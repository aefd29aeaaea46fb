/** What `_prisma_migrations` says of a failed migration. */
import { KnownError } from '../postgres/error-registry.js';

/** @typedef {import('./session.js').Session} Session */

const WRITE_LOGS = `UPDATE _prisma_migrations SET logs = $2
  WHERE migration_name = $1 AND finished_at IS NULL AND rolled_back_at IS NULL`;

/**
 * The WebAssembly engine logs "No such table: x" and a trace of its own; the native one what Postgres
 * said. Whoever looks into the table later gets the latter.
 *
 * @param {Session} session
 * @param {Error} failure
 */
export async function recordFailure(session, failure) {
  if (!(failure instanceof KnownError) || failure.code !== 'P3018') return;
  const { migration_name: name } = failure.meta;
  // The failure itself is what the user has to see, should this not succeed.
  await session.use((client) => client.query(WRITE_LOGS, [name, failure.message])).catch(() => {});
}

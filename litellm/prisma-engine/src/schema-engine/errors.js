/** Failures, in the words of the native engine: people and LiteLLM's migration manager look for them. */
import { KnownError } from '../postgres/error-registry.js';

/** @typedef {import('../postgres/driver-errors.js').DriverError} DriverError */

/**
 * An error of ours that went through the engine as "External error id#0".
 * @param {unknown} error
 * @param {import('@prisma/driver-adapter-utils').ErrorRegistry} registry
 */
export function originalError(error, registry) {
  const [, id] = /External error id#(\d+)/.exec(String(/** @type {any} */ (error)?.message)) ?? [];
  return (id && registry.consumeError(Number(id))?.error) || error;
}

/**
 * The WebAssembly engine says of a failed migration little more than its name. The native one adds
 * what Postgres said, and the code by which it is recognised:
 * https://www.prisma.io/docs/orm/reference/error-reference#p3018
 *
 * @param {Error} error what the engine threw
 * @param {DriverError | undefined} databaseError what Postgres said last
 */
export function migrationFailure(error, databaseError) {
  const name = /migration_name="([^"]+)"/.exec(error.message)?.[1] ?? /** @type {any} */ (error).meta?.migration_name;
  if (!name || !databaseError) return error;
  const { code = '', severity = 'ERROR', message, detail, hint, position } = databaseError;
  const lines = [
    `${severity}: ${message}`,
    detail && `DETAIL: ${detail}`,
    hint && `HINT: ${hint}`,
    position && `Position: ${position}`,
  ].filter(Boolean);
  return new KnownError(
    'P3018',
    'A migration failed to apply. New migrations cannot be applied before the error is recovered from. Read more ' +
      'about how to resolve migration issues in a production database: https://pris.ly/d/migrate-resolve\n\n' +
      `Migration name: ${name}\n\nDatabase error code: ${code}\n\nDatabase error:\n${lines.join('\n')}\n`,
    { migration_name: name, database_error_code: code, database_error: message },
  );
}

/**
 * @param {unknown} error
 * @returns {{ code: number, message: string, data: Record<string, unknown> }} the error of a JSON-RPC answer
 */
export function rpcError(error) {
  const { message, code, meta } = /** @type {{ message?: string, code?: string, meta?: unknown }} */ (error ?? {});
  const known = typeof code === 'string' && /^P\d{4}$/.test(code);
  return {
    code: 4466,
    message: 'An error happened. Check the data field for details.',
    data: {
      is_panic: false,
      message: message ?? String(error),
      ...(known ? { error_code: code, meta: meta ?? {} } : { meta: null, backtrace: null }),
    },
  };
}

/**
 * The Prisma CLI reads its engine's standard error as JSON lines. It drops the first one, and takes
 * the one with level ERROR and this target for the reason of a failure.
 *
 * @param {'ERROR' | 'WARN' | 'INFO'} level
 * @param {string} message
 * @param {Record<string, unknown>} [fields]
 */
export function log(level, message, fields = {}) {
  const line = { timestamp: new Date().toISOString(), level, fields: { message, ...fields }, target: 'schema_engine::logger' };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

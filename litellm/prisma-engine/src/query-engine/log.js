/**
 * Lines as the native engine writes them with RUST_LOG_FORMAT=json, on standard error: standard
 * output belongs to the program that started the engine.
 */

/**
 * @param {'ERROR' | 'WARN' | 'INFO'} level
 * @param {string} message
 * @param {Record<string, unknown>} [fields]
 */
export function log(level, message, fields = {}) {
  const line = { timestamp: new Date().toISOString(), level, fields: { message, ...fields }, target: 'query_engine' };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

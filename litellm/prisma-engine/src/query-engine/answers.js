/** The engine's answers in the JSON protocol → the answers of the GraphQL protocol. */
import { KnownError } from '../postgres/error-registry.js';

/** @typedef {import('./graphql.js').Operation} Operation */
/** @typedef {import('../postgres/error-registry.js').ErrorRegistry} ErrorRegistry */
/**
 * @typedef {object} EngineError
 * @property {string} error
 * @property {{ is_panic: boolean, message: string, meta?: any, error_code?: string }} user_facing_error
 */
/** @typedef {{ data?: Record<string, unknown>, errors?: EngineError[], batchResult?: EngineAnswer[] }} EngineAnswer */

/**
 * @param {EngineAnswer} answer
 * @param {Operation} operation
 * @param {ErrorRegistry} registry
 * @returns {EngineAnswer}
 */
export function toGraphqlAnswer(answer, operation, registry) {
  if (answer.errors) return { errors: withOriginals(answer.errors, registry) };
  const value = Object.values(answer.data ?? {})[0];
  // Rows of raw queries come typed already; an object in them is a JSON column's own.
  return { data: { [operation.alias]: operation.raw ? value : untagged(value) } };
}

/**
 * @param {EngineAnswer} answer
 * @param {Operation[]} operations
 * @param {ErrorRegistry} registry
 * @returns {EngineAnswer}
 */
export function toGraphqlBatchAnswer(answer, operations, registry) {
  if (answer.errors) return { errors: withOriginals(answer.errors, registry) };
  return { batchResult: (answer.batchResult ?? []).map((one, i) => toGraphqlAnswer(one, operations[i], registry)) };
}

/**
 * `{"$type": "DateTime", "value": "…"}` → `"…"`. In GraphQL scalars are untyped text: that of JSON
 * columns too, so what looks like a tag inside of one is never seen here.
 * @param {unknown} value
 * @returns {unknown}
 */
function untagged(value) {
  if (Array.isArray(value)) return value.map(untagged);
  if (value === null || typeof value !== 'object') return value;
  if ('$type' in value && 'value' in value) return value.value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, untagged(item)]));
}

/**
 * Errors that went through the engine as a number get their own code and text back.
 * @param {EngineError[]} errors
 * @param {ErrorRegistry} registry
 */
const withOriginals = (errors, registry) => errors.map((error) => withOriginal(error, registry));

/**
 * @param {EngineError} error
 * @param {ErrorRegistry} registry
 */
export function withOriginal(error, registry) {
  const { error_code: code, meta } = error.user_facing_error;
  if (code !== 'P2036') return error;
  const record = registry.consumeError(Number(meta?.id));
  return record ? errorAnswer(record.error) : error;
}

/**
 * @param {unknown} error
 * @returns {EngineError}
 */
export function errorAnswer(error) {
  const message = error instanceof Error ? error.message : String(error);
  // prisma-client-py looks into `meta` of every error, whether it is there or not.
  const known = error instanceof KnownError ? { error_code: error.code, meta: error.meta } : { meta: {} };
  return { error: message, user_facing_error: { is_panic: false, message, ...known } };
}

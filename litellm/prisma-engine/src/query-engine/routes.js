/**
 * The native engine's HTTP interface, as far as prisma-client-py speaks it. Statuses and bodies:
 * prisma-engines 5.17, query-engine/query-engine/src/server/mod.rs
 */
import { KnownError } from '../postgres/error-registry.js';
import { GateTimeout } from '../postgres/gate.js';
import { errorAnswer, toGraphqlAnswer, toGraphqlBatchAnswer, withOriginal } from './answers.js';
import { EnginePanic } from './engine.js';
import { poolMetrics } from './metrics.js';

/** @typedef {import('./engine.js').Engine} Engine */
/** @typedef {import('./graphql.js').Translator} Translator */
/** @typedef {{ status: number, body: unknown }} Reply */
/** @typedef {{ method: string, path: string, query: URLSearchParams, txId?: string, body: string }} Request */

/** prisma-client-py's own defaults, should they be missing (prisma/_constants.py). */
const DEFAULT_MAX_WAIT_MS = 2000;
const DEFAULT_TIMEOUT_MS = 5000;
/** The engine makes cuids and panics on a shorter id. */
const TRANSACTION_ID = /^[a-z0-9]{24,}$/;

export class Routes {
  #engine;
  #translator;
  #rawQueries;

  /**
   * @param {Engine} engine
   * @param {Translator} translator
   * @param {{ rawQueries: boolean }} options
   */
  constructor(engine, translator, { rawQueries }) {
    this.#engine = engine;
    this.#translator = translator;
    this.#rawQueries = rawQueries;
  }

  /**
   * @param {Request} request
   * @returns {Promise<Reply>}
   */
  async handle(request) {
    const { method, path } = request;
    if (method === 'GET' && path === '/status') return ok({ status: 'ok' });
    if (method === 'GET' && path === '/metrics') return ok(poolMetrics(this.#engine.poolStats, request.query.get('format')));
    if (method === 'POST' && path === '/') return this.#query(request);
    if (method === 'POST' && path === '/transaction/start') return this.#startTransaction(request.body);
    const [, id, end] = /^\/transaction\/([^/]+)\/(commit|rollback)$/.exec(path) ?? [];
    if (method === 'POST' && id) return this.#endTransaction(id, end === 'commit');
    return { status: 404, body: {} };
  }

  /**
   * Errors of a query come with status 200, in the answer.
   * @param {Request} request
   */
  async #query({ body, txId }) {
    const parsed = parseJson(body);
    if (parsed === undefined) return { status: 400, body: {} };
    try {
      if (txId !== undefined && !TRANSACTION_ID.test(txId)) throw noSuchTransaction();
      return ok(Array.isArray(parsed.batch) ? await this.#batch(parsed, txId) : await this.#single(parsed, txId));
    } catch (error) {
      return ok({ errors: [failure(error)] });
    }
  }

  /**
   * @param {{ query: string }} request
   * @param {string | undefined} txId
   */
  async #single({ query }, txId) {
    const operation = this.#translate(query);
    const answer = await this.#engine.query(operation.json, txId);
    return toGraphqlAnswer(answer, operation, this.#engine.registry);
  }

  /**
   * @param {{ batch: Array<{ query: string }>, transaction?: boolean, isolationLevel?: string }} request
   * @param {string | undefined} txId
   */
  async #batch({ batch, transaction, isolationLevel }, txId) {
    const operations = batch.map(({ query }) => this.#translate(query));
    const options = transaction ? `,"transaction":${JSON.stringify({ isolationLevel })}` : '';
    const body = `{"batch":[${operations.map((operation) => operation.json).join()}]${options}}`;
    return toGraphqlBatchAnswer(await this.#engine.query(body, txId), operations, this.#engine.registry);
  }

  /** @param {string} query */
  #translate(query) {
    const operation = this.#translator.translate(query);
    if (operation.raw && !this.#rawQueries) {
      throw new KnownError('P2009', 'Raw queries are not enabled: start the engine with --enable-raw-queries.');
    }
    return operation;
  }

  /** @param {string} body */
  async #startTransaction(body) {
    const input = parseJson(body) ?? {};
    const maxWaitMs = input.max_wait ?? DEFAULT_MAX_WAIT_MS;
    const timeoutMs = input.timeout ?? DEFAULT_TIMEOUT_MS;
    try {
      return this.#transactionReply(
        await this.#engine.startTransaction({ maxWaitMs, timeoutMs, isolationLevel: input.isolation_level }),
      );
    } catch (error) {
      if (!(error instanceof GateTimeout)) return { status: 500, body: failure(error).user_facing_error };
      const body = failure(transactionError('Unable to start a transaction in the given time.')).user_facing_error;
      return { status: 504, body };
    }
  }

  /**
   * @param {string} id
   * @param {boolean} commit
   */
  async #endTransaction(id, commit) {
    if (!TRANSACTION_ID.test(id)) return { status: 404, body: failure(noSuchTransaction()).user_facing_error };
    try {
      return this.#transactionReply(await (commit ? this.#engine.commit(id) : this.#engine.rollback(id)));
    } catch (error) {
      return { status: 500, body: failure(error).user_facing_error };
    }
  }

  /** @param {any} answer */
  #transactionReply(answer) {
    if (answer.message === undefined) return ok(answer);
    const body = withOriginal({ error: answer.message, user_facing_error: answer }, this.#engine.registry).user_facing_error;
    return { status: transactionStatus(body), body };
  }
}

/**
 * @param {unknown} body
 * @returns {Reply}
 */
const ok = (body) => ({ status: 200, body });

/**
 * @param {string} text
 * @returns {any} undefined when it is not an object
 */
function parseJson(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** @param {unknown} error */
function failure(error) {
  const answer = errorAnswer(error);
  return error instanceof EnginePanic
    ? { ...answer, user_facing_error: { ...answer.user_facing_error, is_panic: true } }
    : answer;
}

/** @param {string} error */
const transactionError = (error) => new KnownError('P2028', `Transaction API error: ${error}`, { error });

const noSuchTransaction = () =>
  transactionError('Transaction not found. Transaction ID is invalid, refers to an old closed transaction Prisma ' +
    "doesn't have information about anymore, or was obtained before disconnecting.");

/** @param {{ error_code?: string, message: string }} error */
function transactionStatus({ error_code: code, message }) {
  if (code !== 'P2028') return 500;
  if (message.includes('Unable to start')) return 504;
  return message.includes('not found') ? 404 : 422;
}

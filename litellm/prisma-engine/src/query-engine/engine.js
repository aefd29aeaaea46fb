/**
 * One copy of the WebAssembly query engine and its pool. It connects when first needed: the gateway
 * comes up without its database and works as soon as that is there.
 *
 * A panic (a bug inside the engine) leaves a copy in no state to go on, and calls under way would
 * wait for ever. They get an error, their connections are closed, and the next call loads a new copy.
 */
import { bindAdapter } from '@prisma/driver-adapter-utils';
import { ConnectionPool } from '../postgres/connection-pool.js';
import { parseConnectionUrl } from '../postgres/connection-url.js';
import { ErrorRegistry } from '../postgres/error-registry.js';
import { PoolAdapter } from '../postgres/pool-adapter.js';
import { loadWasmEngine } from '../wasm.js';
import { log } from './log.js';

/** @typedef {import('./settings.js').Settings} Settings */
/**
 * The engine's methods that are used; traces and request ids are not.
 * @typedef {object} WasmQueryEngine
 * @property {(trace: string, requestId: string) => Promise<void>} connect
 * @property {(body: string, trace: string, txId: string | undefined, requestId: string) => Promise<string>} query
 * @property {(input: string, trace: string, requestId: string) => Promise<string>} startTransaction
 * @property {(id: string, trace: string, requestId: string) => Promise<string>} commitTransaction
 * @property {(id: string, trace: string, requestId: string) => Promise<string>} rollbackTransaction
 */

const GLUE = '@prisma/query-engine-wasm/postgresql/query_engine_bg.js';
const NO_TRACE = '{}';

/** The engine's own code broke; the text is its panic message. */
export class EnginePanic extends Error {}

export class Engine {
  registry = new ErrorRegistry();
  #settings;
  #options;
  #pool;
  #adapter;
  /** @type {Promise<WasmQueryEngine> | undefined} */
  #copy;
  /** @type {Set<(error: Error) => void>} */
  #underWay = new Set();
  // Under which the engine files traces: a whole number other than 0, written out.
  #requests = 0;

  /** @param {Settings} settings */
  constructor(settings) {
    this.#settings = settings;
    this.#options = parseConnectionUrl(settings.url);
    this.#pool = new ConnectionPool(this.#options);
    this.#adapter = new PoolAdapter(this.#pool, this.#options);
    // Looked up by the WebAssembly build: https://github.com/prisma/prisma-engines/pull/5013
    Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: { set_message: (/** @type {string} */ m) => this.panicked(m) } });
  }

  get poolStats() {
    return this.#pool.stats;
  }

  /** Loads the code, so that the first query need not wait for it. */
  async load() {
    this.#copy ??= this.#newCopy();
    try {
      return await this.#copy;
    } catch (error) {
      this.#copy = undefined;
      throw error;
    }
  }

  /**
   * @param {string} body one query or a batch in the JSON protocol
   * @param {string | undefined} txId
   * @returns {Promise<any>} the engine's answer
   */
  query(body, txId) {
    return this.#call((engine, id) => engine.query(body, NO_TRACE, txId, id));
  }

  /**
   * @param {{ maxWaitMs: number, timeoutMs: number, isolationLevel?: string }} options
   * @returns {Promise<any>} `{id}` or a user-facing error
   * @throws {import('../postgres/gate.js').GateTimeout} no connection was free within maxWaitMs
   */
  async startTransaction({ maxWaitMs, timeoutMs, isolationLevel }) {
    // The WebAssembly build does not keep to max_wait, so the wait for a connection is here.
    this.#adapter.reserveForTransaction(await this.#pool.reserve(maxWaitMs));
    const input = { max_wait: maxWaitMs, timeout: timeoutMs, isolation_level: isolationLevel };
    return this.#call((engine, id) => engine.startTransaction(JSON.stringify(input), NO_TRACE, id));
  }

  /** @param {string} txId */
  commit(txId) {
    return this.#call((engine, id) => engine.commitTransaction(txId, NO_TRACE, id));
  }

  /** @param {string} txId */
  rollback(txId) {
    return this.#call((engine, id) => engine.rollbackTransaction(txId, NO_TRACE, id));
  }

  /** @param {string} message */
  panicked(message) {
    log('ERROR', `the query engine panicked and is loaded again: ${message}`);
    this.#copy = undefined;
    this.#pool.destroyLeases();
    for (const fail of this.#underWay) fail(new EnginePanic(message));
  }

  close() {
    return this.#pool.end();
  }

  /**
   * @param {(engine: WasmQueryEngine, requestId: string) => Promise<string>} work
   * @returns {Promise<any>}
   */
  async #call(work) {
    const engine = await this.load();
    return new Promise((resolve, reject) => {
      this.#underWay.add(reject);
      work(engine, this.#nextRequestId())
        .then((text) => resolve(JSON.parse(text)), reject)
        .finally(() => this.#underWay.delete(reject));
    });
  }

  #nextRequestId() {
    this.#requests += 1;
    return String(this.#requests);
  }

  /** @returns {Promise<WasmQueryEngine>} */
  async #newCopy() {
    const glue = await loadWasmEngine(GLUE);
    const { datamodel, logQueries } = this.#settings;
    const options = { datamodel, logLevel: logQueries ? 'info' : 'error', logQueries, enableTracing: false };
    const adapter = bindAdapter(this.#adapter, /** @type {any} */ (this.registry));
    /** @type {WasmQueryEngine} */
    const engine = new glue.QueryEngine(options, engineLog, adapter);
    await engine.connect(NO_TRACE, this.#nextRequestId());
    return engine;
  }
}

/** @param {string} line JSON */
function engineLog(line) {
  const { level = 'INFO', message, ...fields } = JSON.parse(line);
  log(level, message ?? fields.query ?? 'engine', fields);
}

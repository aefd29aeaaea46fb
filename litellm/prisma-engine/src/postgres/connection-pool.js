/**
 * Connections to Postgres, at most `connection_limit` of them, opened when first needed. One that
 * broke is thrown away, the next query opens another: the database may go away and come back.
 */
import pg from 'pg';
import { clientConfig, sessionStatements } from './client-config.js';
import { Gate } from './gate.js';

/** @typedef {import('./connection-url.js').ConnectionOptions} ConnectionOptions */

/**
 * A connection lent out. `release(true)` closes it instead of keeping it.
 * @typedef {{ client: import('pg').PoolClient, release: (broken?: boolean) => void }} Lease
 */

/** As quaint's default, `max_idle_connection_lifetime`. */
const IDLE_MS = 300_000;
const NO_TLS = 'The server does not support SSL connections';

export class ConnectionPool {
  #options;
  #pool;
  #gate;
  /** @type {Set<Lease>} */
  #leases = new Set();
  /** How often leases were destroyed; who asked before is not to get one after. */
  #destroyed = 0;

  /** @param {ConnectionOptions} options */
  constructor(options) {
    this.#options = options;
    this.#gate = new Gate(options.connectionLimit);
    this.#pool = new pg.Pool({
      ...clientConfig(options),
      max: options.connectionLimit,
      idleTimeoutMillis: IDLE_MS,
      onConnect: async (client) => {
        for (const statement of sessionStatements(options)) await client.query(statement);
      },
    });
    // An idle connection that the server closed; the pool has dropped it already.
    this.#pool.on('error', () => {});
  }

  get stats() {
    return { open: this.#pool.totalCount, busy: this.#gate.inUse, waiting: this.#gate.waiting };
  }

  /**
   * Holds a place in the pool until the function it resolves with is called.
   * @param {number} [timeoutMs]
   * @throws {import('./gate.js').GateTimeout}
   */
  reserve(timeoutMs = this.#options.poolTimeoutMs) {
    return this.#gate.enter(timeoutMs);
  }

  /**
   * @param {() => void} [leave] a place reserved before; without it one is waited for
   * @returns {Promise<Lease>}
   */
  async acquire(leave) {
    const destroyed = this.#destroyed;
    const give = leave ?? (await this.reserve());
    try {
      const client = await this.#connect();
      if (destroyed === this.#destroyed) return this.#lease(client, give);
      client.release();
      throw new Error('Connection terminated');
    } catch (error) {
      give();
      throw error;
    }
  }

  /** Closes what is lent out, or about to be: those who hold it or wait for it get errors. */
  destroyLeases() {
    this.#destroyed += 1;
    for (const lease of this.#leases) lease.release(true);
  }

  async end() {
    this.destroyLeases();
    await this.#pool.end();
  }

  async #connect() {
    try {
      return await this.#pool.connect();
    } catch (error) {
      const plainIsFine = this.#options.tls.mode === 'prefer';
      if (!plainIsFine || /** @type {Error} */ (error).message !== NO_TLS) throw error;
      this.#pool.options.ssl = false;
      return this.#pool.connect();
    }
  }

  /**
   * @param {import('pg').PoolClient} client
   * @param {() => void} leave
   * @returns {Lease}
   */
  #lease(client, leave) {
    // The query under way is rejected as well; without a listener the event would end the process.
    const onError = () => {};
    client.on('error', onError);
    const lease = {
      client,
      release: (broken = false) => {
        if (!this.#leases.delete(lease)) return;
        client.off('error', onError);
        if (broken) client.on('error', onError);
        client.release(broken);
        leave();
      },
    };
    this.#leases.add(lease);
    return lease;
  }
}

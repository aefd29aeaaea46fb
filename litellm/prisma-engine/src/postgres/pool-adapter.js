/**
 * The query engine's driver adapter: every query takes a connection from the pool, a transaction
 * keeps one until it ends. Contract: https://www.prisma.io/docs/orm/overview/databases/database-drivers
 */
import { breaksConnection } from './connection-errors.js';
import { toAdapterError } from './driver-errors.js';
import { Queryable } from './queryable.js';
import { TypeLookup } from './type-lookup.js';

/** @typedef {import('./connection-pool.js').ConnectionPool} ConnectionPool */
/** @typedef {import('./connection-pool.js').Lease} Lease */
/** @typedef {import('./connection-url.js').ConnectionOptions} ConnectionOptions */
/** @typedef {import('@prisma/driver-adapter-utils').IsolationLevel} IsolationLevel */

class PoolTransaction extends Queryable {
  // The engine sends COMMIT and ROLLBACK as queries of their own.
  options = { usePhantomQuery: false };
  #end;

  /**
   * @param {import('./queryable.js').WithClient} withClient
   * @param {TypeLookup} types
   * @param {() => void} end
   */
  constructor(withClient, types, end) {
    super(withClient, types);
    this.#end = end;
  }

  async commit() {
    this.#end();
  }

  async rollback() {
    this.#end();
  }
}

export class PoolAdapter extends Queryable {
  #pool;
  #options;
  #types;
  /** @type {Array<() => void>} */
  #reserved = [];

  /**
   * @param {ConnectionPool} pool
   * @param {ConnectionOptions} options
   */
  constructor(pool, options) {
    const types = new TypeLookup();
    super((work) => this.#once(work), types);
    this.#pool = pool;
    this.#options = options;
    this.#types = types;
  }

  /**
   * The next transaction takes this place in the pool instead of waiting for one.
   * @param {() => void} leave
   */
  reserveForTransaction(leave) {
    this.#reserved.push(leave);
  }

  /** @param {IsolationLevel} [isolationLevel] */
  async startTransaction(isolationLevel) {
    const lease = await this.#translated(() => this.#pool.acquire(this.#reserved.shift()));
    /** @type {import('./queryable.js').WithClient} */
    const withClient = (work) => this.#onLease(lease, work);
    await withClient((client) => client.query(begin(isolationLevel)));
    return new PoolTransaction(withClient, this.#types, () => releaseIdle(lease));
  }

  /** @param {string} script */
  async executeScript(script) {
    await this.#once((client) => client.query(script));
  }

  getConnectionInfo() {
    return { schemaName: this.#options.schema, supportsRelationJoins: true };
  }

  async dispose() {}

  /** @type {import('./queryable.js').WithClient} */
  async #once(work) {
    return this.#translated(async () => {
      const lease = await this.#pool.acquire();
      try {
        const result = await work(lease.client);
        lease.release();
        return result;
      } catch (error) {
        lease.release(breaksConnection(error));
        throw error;
      }
    });
  }

  /**
   * After an error the transaction keeps its connection, since the engine sends ROLLBACK on it;
   * a broken connection goes at once.
   * @template T
   * @param {Lease} lease
   * @param {(client: import('pg').ClientBase) => Promise<T>} work
   */
  #onLease(lease, work) {
    return this.#translated(async () => {
      try {
        return await work(lease.client);
      } catch (error) {
        if (breaksConnection(error)) lease.release(true);
        throw error;
      }
    });
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   */
  async #translated(work) {
    try {
      return await work();
    } catch (error) {
      throw toAdapterError(error, this.#options);
    }
  }
}

/** @param {IsolationLevel} [level] */
const begin = (level) => (level ? `BEGIN ISOLATION LEVEL ${level}` : 'BEGIN');

/**
 * A connection still inside a transaction (its ROLLBACK did not come through) is not kept.
 * @param {Lease} lease
 */
function releaseIdle(lease) {
  lease.release(lease.client.getTransactionStatus() !== 'I');
}

/** One connection to Postgres, kept from the first use to the end: locks and settings belong to it. */
import { breaksConnection } from '../postgres/connection-errors.js';
import { ConnectionPool } from '../postgres/connection-pool.js';
import { toAdapterError, toScriptError } from '../postgres/driver-errors.js';
import { takeMigrationLock } from './advisory-lock.js';

/** @typedef {import('../postgres/connection-url.js').ConnectionOptions} ConnectionOptions */
/** @typedef {import('../postgres/connection-pool.js').Lease} Lease */
/** @typedef {import('../postgres/driver-errors.js').DriverError} DriverError */

/**
 * A killed migration must not go on in the server and commit later, with the lock gone. The setting
 * exists since Postgres 14; older ones know no such row.
 */
const NOTICE_WHEN_WE_ARE_GONE = `SELECT set_config(name, '1000', false) FROM pg_settings
  WHERE name = 'client_connection_check_interval'`;

export class Session {
  #pool;
  #options;
  /** @type {Promise<Lease> | undefined} */
  #lease;
  #locked = false;
  /** The last error, with all that Postgres said. The engine hands on only parts of it. @type {DriverError | undefined} */
  lastError;

  /** @param {ConnectionOptions} options */
  constructor(options) {
    this.#options = { ...options, connectionLimit: 1 };
    this.#pool = new ConnectionPool(this.#options);
  }

  get options() {
    return this.#options;
  }

  /** @type {import('../postgres/queryable.js').WithClient} */
  use = (work) => this.#use(work, toAdapterError);

  /** @param {string} sql any number of statements */
  script(sql) {
    return this.#use((client) => client.query(sql), toScriptError);
  }

  /** Waits until no other migration runs. */
  async lock() {
    if (this.#locked) return;
    await this.use((client) => takeMigrationLock(client, this.#options));
    this.#locked = true;
  }

  async close() {
    await this.#forget();
    await this.#pool.end();
  }

  /**
   * @template T
   * @param {(client: import('pg').ClientBase) => Promise<T>} work
   * @param {typeof toAdapterError} translated
   */
  async #use(work, translated) {
    try {
      const { client } = await this.#open();
      return await work(client);
    } catch (error) {
      this.lastError = /** @type {DriverError} */ (error);
      if (breaksConnection(error)) await this.#forget();
      throw translated(error, this.#options);
    }
  }

  #open() {
    this.#lease ??= this.#connect();
    return this.#lease;
  }

  async #connect() {
    const lease = await this.#pool.acquire();
    await lease.client.query(NOTICE_WHEN_WE_ARE_GONE);
    return lease;
  }

  async #forget() {
    const lease = this.#lease;
    this.#lease = undefined;
    this.#locked = false;
    await lease?.then(({ release }) => release(true), () => {});
  }
}

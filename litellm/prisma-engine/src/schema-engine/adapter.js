/**
 * The schema engine's driver adapter. Prisma's own (@prisma/adapter-pg) cuts scripts at every
 * semicolon, which breaks functions' bodies and leaves half a migration behind, and spreads
 * statements over a pool while the advisory lock belongs to one connection.
 */
import { randomUUID } from 'node:crypto';
import { KnownError } from '../postgres/error-registry.js';
import { Queryable } from '../postgres/queryable.js';
import { TypeLookup } from '../postgres/type-lookup.js';
import { Session } from './session.js';

/** @typedef {import('../postgres/connection-url.js').ConnectionOptions} ConnectionOptions */
/** @typedef {import('@prisma/driver-adapter-utils').Transaction} Transaction */

export class SessionAdapter extends Queryable {
  #session;
  #dispose;

  /**
   * @param {Session} session
   * @param {() => Promise<void>} [dispose]
   */
  constructor(session, dispose = async () => {}) {
    super(session.use, new TypeLookup());
    this.#session = session;
    this.#dispose = dispose;
  }

  /**
   * The whole script as one simple query: Postgres itself finds where statements end and runs them in
   * one implicit transaction, so that a failed migration leaves nothing behind.
   * @param {string} script
   */
  async executeScript(script) {
    await this.#session.script(script);
  }

  /**
   * Migrations reach the shadow database by this method.
   * @param {import('@prisma/driver-adapter-utils').SqlQuery} query
   */
  async executeRaw(query) {
    if (query.args.length > 0) return super.executeRaw(query);
    return (await this.#session.script(query.sql)).rowCount ?? 0;
  }

  /** @returns {Promise<Transaction>} */
  async startTransaction() {
    throw new Error('the schema engine does not start transactions of its own');
  }

  getConnectionInfo() {
    return { schemaName: this.#session.options.schema, supportsRelationJoins: true };
  }

  dispose() {
    return this.#dispose();
  }
}

export class SessionAdapterFactory {
  provider = /** @type {const} */ ('postgres');
  adapterName = 'prisma-engine-pg';
  #session;
  #shadowOptions;

  /**
   * @param {Session} session
   * @param {ConnectionOptions} [shadowOptions] a database to use as shadow; without it one is created
   */
  constructor(session, shadowOptions) {
    this.#session = session;
    this.#shadowOptions = shadowOptions;
  }

  async connect() {
    return new SessionAdapter(this.#session);
  }

  /** A database to replay migrations in: https://www.prisma.io/docs/orm/prisma-migrate/understanding-prisma-migrate/shadow-database */
  connectToShadowDb() {
    return this.#shadowOptions ? emptied(this.#shadowOptions) : this.#created();
  }

  async #created() {
    const name = `prisma_migrate_shadow_db_${randomUUID()}`;
    try {
      await this.#session.use((client) => client.query(`CREATE DATABASE "${name}"`));
    } catch (error) {
      throw noShadow(/** @type {Error} */ (error));
    }
    const shadow = new Session({ ...this.#session.options, database: name });
    return new SessionAdapter(shadow, async () => {
      await shadow.close();
      await this.#session.use((client) => client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`));
    });
  }
}

/** @param {ConnectionOptions} options */
async function emptied(options) {
  const shadow = new Session(options);
  const schema = `"${options.schema.replaceAll('"', '""')}"`;
  await shadow.use((client) => client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE; CREATE SCHEMA ${schema}`));
  return new SessionAdapter(shadow, () => shadow.close());
}

/** @param {Error} cause */
const noShadow = (cause) =>
  new KnownError(
    'P3014',
    'Prisma Migrate could not create the shadow database. Please make sure the database user has permission to ' +
      'create databases. Read more about the shadow database (and workarounds) at https://pris.ly/d/migrate-shadow' +
      `\n\nOriginal error: ${cause.message}`,
  );

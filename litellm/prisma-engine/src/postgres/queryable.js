/** Runs the engines' queries on a connection and hands the result over as they read it. */
import { toDriverArguments } from './arguments.js';
import { TypeLookup } from './type-lookup.js';

/** @typedef {import('@prisma/driver-adapter-utils').SqlQuery} SqlQuery */
/** @typedef {import('@prisma/driver-adapter-utils').SqlResultSet} SqlResultSet */
/** @typedef {<T>(work: (client: import('pg').ClientBase) => Promise<T>) => Promise<T>} WithClient */

const RAW_TEXT = { getTypeParser: () => (/** @type {string} */ text) => text };

export class Queryable {
  provider = /** @type {const} */ ('postgres');
  adapterName = 'prisma-engine-pg';
  #withClient;
  #types;

  /**
   * @param {WithClient} withClient lends a connection for one piece of work and translates its errors
   * @param {TypeLookup} types
   */
  constructor(withClient, types) {
    this.#withClient = withClient;
    this.#types = types;
  }

  /**
   * @param {SqlQuery} query
   * @returns {Promise<SqlResultSet>}
   */
  queryRaw(query) {
    return this.#withClient(async (client) => {
      const { fields, rows } = await client.query(driverQuery(query));
      const types = await this.#types.types(client, fields.map((field) => field.dataTypeID));
      return {
        columnNames: fields.map((field) => field.name),
        columnTypes: types.map((type) => type.prisma),
        rows: rows.map((row) => row.map((text, i) => (text === null ? null : types[i].read(text)))),
      };
    });
  }

  /** @param {SqlQuery} query */
  executeRaw(query) {
    return this.#withClient(async (client) => (await client.query(driverQuery(query))).rowCount ?? 0);
  }
}

/**
 * The extended protocol takes one statement only, as the native engine does: a value that found its
 * way into raw SQL cannot bring a second statement along.
 * @param {SqlQuery} query
 * @returns {import('pg').QueryArrayConfig & { queryMode: 'extended' }}
 */
function driverQuery({ sql, args, argTypes }) {
  return {
    text: sql,
    values: toDriverArguments(args, argTypes),
    rowMode: 'array',
    queryMode: 'extended',
    types: /** @type {import('pg').CustomTypesConfig} */ (RAW_TEXT),
  };
}

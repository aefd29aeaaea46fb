/** Types that are not in the table of column-types.js: enums, extensions' types, rare system types. */
import { COLUMN_TYPES, TEXT, TEXT_ARRAY } from './column-types.js';

/** @typedef {import('./column-types.js').ColumnType} ColumnType */

const IS_ARRAY = "SELECT oid, typcategory = 'A' AND typlen = -1 AS is_array FROM pg_type WHERE oid = ANY($1)";

export class TypeLookup {
  /** @type {Map<number, ColumnType>} */
  #seen = new Map();

  /**
   * @param {import('pg').ClientBase} client asked about types not met before
   * @param {number[]} oids
   * @returns {Promise<ColumnType[]>}
   */
  async types(client, oids) {
    const unknown = oids.filter((oid) => !COLUMN_TYPES.has(oid) && !this.#seen.has(oid));
    if (unknown.length > 0) await this.#ask(client, unknown);
    return oids.map((oid) => COLUMN_TYPES.get(oid) ?? this.#seen.get(oid) ?? TEXT);
  }

  /**
   * @param {import('pg').ClientBase} client
   * @param {number[]} oids
   */
  async #ask(client, oids) {
    const { rows } = await client.query(IS_ARRAY, [oids]);
    for (const { oid, is_array: isArray } of rows) this.#seen.set(Number(oid), isArray ? TEXT_ARRAY : TEXT);
  }
}

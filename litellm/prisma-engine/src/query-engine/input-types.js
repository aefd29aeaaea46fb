/**
 * Finds the JSON values among a query's arguments.
 *
 * In GraphQL the value of a JSON field is a string that holds JSON text. In the JSON protocol a string
 * there stands for itself, so `"{\"a\": 1}"` would be stored as a string and not as an object
 * (prisma-engines, query-engine/core/src/query_document/parser.rs, parse_input_value). The text has to
 * be tagged as JSON, and for that it has to be known where in the arguments one is.
 *
 * A place is walked into key by key, starting from the arguments of an operation on a model.
 */

/** @typedef {import('./models.js').Models} Models */
/** @typedef {import('graphql').ValueNode} ValueNode */
/**
 * - arguments: `where`, `data`, … of an operation
 * - fields: fields of the model, or AND, OR, NOT and compound keys, which hold fields in turn
 * - relation: `create`, `connect`, `some`, …, which hold fields of the other model
 * - json: a JSON value, or a filter of one
 * - other: neither JSON nor anything that holds some
 * @typedef {'arguments' | 'fields' | 'relation' | 'json' | 'other'} Kind
 */

/** Of a relation, those which hold more of their like: `connectOrCreate: {where, create}`. */
const NESTED = new Set(['connectOrCreate', 'upsert', 'createMany']);
/** Fields at once for a single record, `{where, data}` for many. */
const UPDATES = new Set(['update', 'updateMany']);
const HOLD_FIELDS = new Set([
  'create', 'connect', 'set', 'disconnect', 'delete', 'deleteMany', 'where', 'data', 'is', 'isNot', 'some', 'every', 'none',
]);
/** Parts of a JSON filter that are not JSON. */
const NOT_JSON = new Set(['path', 'mode', 'string_contains', 'string_starts_with', 'string_ends_with']);

export class Place {
  #models;
  #model;

  /**
   * @param {Kind} kind
   * @param {Models} models
   * @param {string} model
   */
  constructor(kind, models, model) {
    this.kind = kind;
    this.#models = models;
    this.#model = model;
  }

  /**
   * @param {string} key
   * @param {ValueNode} value what is found under the key
   * @returns {Place}
   */
  at(key, value) {
    switch (this.kind) {
      case 'arguments':
        return this.#as('fields');
      case 'fields':
        return this.#field(key);
      case 'relation':
        return this.#inRelation(key, value);
      case 'json':
        return this.#as(NOT_JSON.has(key) ? 'other' : 'json');
      default:
        return this;
    }
  }

  /** @param {string} key */
  #field(key) {
    const model = this.#models.get(this.#model);
    const other = model?.relations.get(key);
    if (other) return this.#as('relation', other);
    if (model?.json.has(key)) return this.#as('json');
    return this.#as(model?.fields.has(key) ? 'other' : 'fields');
  }

  /**
   * @param {string} key
   * @param {ValueNode} value
   */
  #inRelation(key, value) {
    if (NESTED.has(key)) return this;
    if (UPDATES.has(key)) return hasData(value) ? this : this.#as('fields');
    // Without `is`, a filter of a single related record starts with its fields.
    return HOLD_FIELDS.has(key) ? this.#as('fields') : this.#field(key);
  }

  /**
   * @param {Kind} kind
   * @param {string} [model]
   */
  #as(kind, model = this.#model) {
    return new Place(kind, this.#models, model);
  }
}

/**
 * @param {ValueNode} value
 * @returns {boolean}
 */
function hasData(value) {
  if (value.kind === 'ListValue') return value.values.some(hasData);
  return value.kind === 'ObjectValue' && value.fields.some((field) => field.name.value === 'data');
}

/** Records of any model: values for every field, as GraphQL, and as plain SQL has them. */
import { enums, models } from './litellm-schema.js';

/** @typedef {import('./litellm-schema.js').TestModel} TestModel */
/** @typedef {import('./litellm-schema.js').Field} Field */
/** @typedef {Record<string, any>} Record_ */

/**
 * @param {Field} field
 * @param {string} model
 * @param {number} n different numbers give different values
 */
function valueOf(field, model, n) {
  const value = scalarOf(field, model, n);
  return field.list ? [value, scalarOf(field, model, n + 1000)] : value;
}

/**
 * @param {Field} field
 * @param {string} model
 * @param {number} n
 */
function scalarOf({ name, type }, model, n) {
  switch (type) {
    case 'String': return `${model}.${name} "${n}" ü🐘`;
    case 'Int': return n;
    case 'BigInt': return 2 ** 40 + n;
    case 'Float': return n + 0.25;
    case 'Boolean': return n % 2 === 0;
    case 'DateTime': return new Date(Date.UTC(2024, 0, 1, 0, 0, n, 123)).toISOString();
    case 'Json': return { n, text: `a "quote" \\ ${n}`, list: [1, null, { deep: true }], $type: 'DateTime' };
    case 'Bytes': return Buffer.from([n, 0, 255, 92]).toString('base64');
    default: return /** @type {string[]} */ (enums.get(type))[n % 2];
  }
}

/**
 * A record with all fields set, but for foreign keys that may be empty.
 * @param {TestModel} model
 * @param {number} n
 * @param {(model: TestModel) => Promise<Record_>} newParent makes a record that a foreign key can point to
 * @returns {Promise<Record_>}
 */
export async function recordOf(model, n, newParent) {
  const foreign = new Set(model.relations.flatMap((relation) => relation.fields));
  const own = model.scalars.filter((field) => !foreign.has(field.name));
  /** @type {Record_} */
  const record = Object.fromEntries(own.map((field) => [field.name, valueOf(field, model.name, n)]));
  for (const relation of model.relations.filter((one) => isRequired(model, one))) {
    const parent = await newParent(/** @type {TestModel} */ (models.get(relation.model)));
    relation.fields.forEach((field, i) => { record[field] = parent[relation.references[i]]; });
  }
  return record;
}

/**
 * Without key and foreign keys: what an update may change.
 * @param {TestModel} model
 * @param {number} n
 */
export function changeOf(model, n) {
  const fixed = new Set([...model.id, ...model.relations.flatMap((relation) => relation.fields)]);
  const free = model.scalars.filter((field) => !fixed.has(field.name));
  return Object.fromEntries(free.map((field) => [field.name, valueOf(field, model.name, n)]));
}

/**
 * @param {TestModel} model
 * @param {import('./litellm-schema.js').Relation} relation
 */
const isRequired = (model, { fields }) => model.scalars.some(({ name, optional }) => fields.includes(name) && !optional);

/**
 * As prisma-client-py writes it: keys without quotes, JSON as a string of JSON.
 * @param {TestModel} model
 * @param {Record_} record
 */
export function graphqlRecord(model, record) {
  const types = new Map(model.scalars.map((field) => [field.name, field]));
  return `{${Object.entries(record).map(([name, value]) => {
    const isJson = types.get(name)?.type === 'Json';
    return `${name}: ${JSON.stringify(isJson ? JSON.stringify(value) : value)}`;
  }).join(', ')}}`;
}

/**
 * The key of a record, for `where` of findUnique and the like.
 * @param {TestModel} model
 * @param {Record_} record
 */
export function graphqlKey(model, record) {
  const parts = model.id.map((name) => `${name}: ${JSON.stringify(record[name])}`).join(', ');
  return model.id.length === 1 ? `{${parts}}` : `{${model.id.join('_')}: {${parts}}}`;
}

/**
 * A select list that gives every column in a form that normalized() gives too.
 * @param {TestModel} model
 */
export const sqlColumns = (model) => model.scalars.map((field) => `${sqlColumn(field)} AS "${field.name}"`).join(', ');

/** @param {Field} field */
function sqlColumn({ column, type, list }) {
  const name = `"${column}"`;
  if (type === 'DateTime' && !list) return `round(extract(epoch FROM ${name}) * 1000)::float8`;
  if (type === 'BigInt' && !list) return `${name}::text`;
  if (type === 'Bytes' && !list) return `translate(encode(${name}, 'base64'), E'\\n', '')`;
  return enums.has(type) ? `${name}::text` : name;
}

/**
 * What the engine answered, in the form of sqlColumns.
 * @param {TestModel} model
 * @param {Record_} answer
 */
export const normalized = (model, answer) => mapFields(model, answer, (type, value) => {
  if (type === 'DateTime') return Date.parse(value);
  return type === 'Json' ? JSON.parse(value) : value;
});

/**
 * What was written, in the form of sqlColumns.
 * @param {TestModel} model
 * @param {Record_} record
 */
export const expected = (model, record) => mapFields(model, record, (type, value) => {
  if (type === 'DateTime') return Date.parse(value);
  return type === 'BigInt' ? String(value) : value;
});

/**
 * @param {TestModel} model
 * @param {Record_} record
 * @param {(type: string, value: any) => unknown} map for values that are neither null nor lists
 */
function mapFields(model, record, map) {
  const fields = model.scalars.filter(({ name }) => name in record);
  return Object.fromEntries(fields.map(({ name, type, list }) => {
    const value = record[name];
    return [name, value === null || list ? value : map(type, value)];
  }));
}

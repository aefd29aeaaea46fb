/** Every model of LiteLLM's schema: what the engine does, plain SQL sees, and the other way round. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openEngine } from '../../src/schema-engine/engine.js';
import { readSchemas } from '../../src/schema-engine/datamodel.js';
import { createDatabase, noDatabase } from '../support/database.js';
import { startEngine } from '../support/engine.js';
import { models, noSchema, schemaPath } from '../support/litellm-schema.js';
import { changeOf, expected, graphqlKey, graphqlRecord, normalized, recordOf, sqlColumns } from '../support/records.js';

/** @typedef {import('../support/litellm-schema.js').TestModel} TestModel */

/** @type {import('../support/database.js').TestDatabase} */
let db;
/** @type {import('../support/engine.js').TestEngine} */
let engine;

/**
 * @param {TestModel} model
 * @param {string} operation such as createOne
 * @param {string} args
 * @param {string} [selection]
 */
const run = (model, operation, args, selection = model.scalars.map((field) => field.name).join(' ')) =>
  engine.query(`${/^(find|agg|group)/.test(operation) ? 'query' : 'mutation'} { result: ${operation}${model.name}${args && `(${args})`} { ${selection} } }`);

let parents = 1000;
/** @param {TestModel} model */
const newParent = (model) => create(model, parents++);

/**
 * @param {TestModel} model
 * @param {number} n
 * @returns {Promise<Record<string, any>>}
 */
async function create(model, n) {
  const record = await recordOf(model, n, newParent);
  await run(model, 'createOne', `data: ${graphqlRecord(model, record)}`);
  return record;
}

/** @param {TestModel} model */
const stored = (model) => db.sql(`SELECT ${sqlColumns(model)} FROM "${model.table}" ORDER BY ${keyColumns(model)}`);

/** @param {TestModel} model */
const keyColumns = (model) => model.id.map((name) => `"${model.scalars.find((field) => field.name === name)?.column}"`).join();

describe('every model', { skip: noDatabase || noSchema }, () => {
  before(async () => {
    db = await createDatabase();
    const schemas = readSchemas([schemaPath]);
    const { run: schemaEngine, session } = await openEngine(db.url, schemas);
    const files = schemas.map(([path, content]) => ({ path, content }));
    await schemaEngine('schemaPush', { schema: { files }, force: false, filters: { externalTables: [], externalEnums: [] } });
    await session.close();
    engine = await startEngine(db.url, schemaPath);
  });
  after(async () => {
    await engine?.stop();
    await db?.drop();
  });

  for (const model of models.values()) test(model.name, () => exercise(model));
});

/** @param {TestModel} model */
async function exercise(model) {
  // Records of the tests before were parents only.
  await db.sql(`TRUNCATE "${model.table}" CASCADE`);
  const records = [await create(model, 1), await create(model, 2), await create(model, 3)];
  await comparesWithSql(model);
  await filters(model, records);
  await aggregates(model);
  await changes(model, records);
  await removes(model, records);
}

/** @param {TestModel} model */
async function comparesWithSql(model) {
  const orderBy = model.id.map((name) => `{${name}: asc}`).join(', ');
  const answer = await run(model, 'findMany', `orderBy: [${orderBy}]`);
  assert.equal(answer.length, 3);
  assert.deepEqual(answer.map((/** @type {any} */ one) => normalized(model, one)), await stored(model), 'findMany');
}

/**
 * @param {TestModel} model
 * @param {Array<Record<string, any>>} records
 */
async function filters(model, records) {
  const wanted = records[1];
  const { AND, compared } = conditions(model, wanted);
  const found = await run(model, 'findMany', `where: {AND: [${AND}]}`);
  assert.deepEqual(found.length, 1, `filters on ${compared}`);
  const unique = await run(model, 'findUnique', `where: ${graphqlKey(model, wanted)}`);
  assert.deepEqual(unique, found[0], 'findUnique');
  const last = model.id.map((name) => `{${name}: desc}`).join(', ');
  const rows = await stored(model);
  const page = await run(model, 'findMany', `orderBy: [${last}], take: 1, skip: 1`);
  assert.deepEqual(page.map((/** @type {any} */ one) => normalized(model, one)), [rows[1]], 'order, skip and take');
  assert.equal(await run(model, 'findFirst', `where: {NOT: [{OR: [${rows.map((row) => keyCondition(model, row))}]}]}`), null);
}

/**
 * A condition on every field of the record.
 * @param {TestModel} model
 * @param {Record<string, any>} record
 */
function conditions(model, record) {
  const fields = model.scalars.filter(({ name }) => record[name] !== undefined);
  const AND = fields.map(({ name, type, list }) => {
    const value = JSON.stringify(record[name]);
    if (type === 'Json') return `{${name}: {path: ["n"], equals: ${JSON.stringify(JSON.stringify(record[name].n))}}}`;
    if (list) return `{${name}: {has: ${JSON.stringify(record[name][0])}}}`;
    if (type === 'String') return `{${name}: {startsWith: ${value}, in: [${value}, "x"]}}`;
    if (type === 'DateTime') return `{${name}: {gte: ${value}, lte: ${value}}}`;
    return `{${name}: {equals: ${value}}}`;
  }).join(', ');
  return { AND, compared: fields.map(({ name }) => name).join() };
}

/**
 * @param {TestModel} model
 * @param {Record<string, any>} row
 */
const keyCondition = (model, row) => `{${model.id.map((name) => `${name}: ${JSON.stringify(row[name])}`).join(', ')}}`;

/** @param {TestModel} model */
async function aggregates(model) {
  const numbers = model.scalars.filter(({ type, list }) => ['Int', 'BigInt', 'Float'].includes(type) && !list);
  const names = numbers.map(({ name }) => name).join(' ');
  const parts = numbers.length > 0 ? ['_avg', '_sum', '_min', '_max'].map((part) => `${part} { ${names} }`).join(' ') : '';
  const answer = await run(model, 'aggregate', '', `_count { _all } ${parts}`);
  assert.equal(answer._count._all, 3);
  for (const { name, column } of numbers) {
    const [row] = await db.sql(`SELECT avg("${column}")::float8 AS avg, sum("${column}")::float8 AS sum, min("${column}")::float8 AS min,
      max("${column}")::float8 AS max FROM "${model.table}"`);
    for (const part of ['avg', 'sum', 'min', 'max']) {
      const value = answer[`_${part}`][name];
      assert.equal(value === null ? null : Number(value), row[part], `${part} of ${name}`);
    }
  }
  const by = model.id[0];
  const groups = await run(model, 'groupBy', `by: [${by}], orderBy: [{${by}: asc}]`, `${by} _count { _all }`);
  assert.equal(groups.reduce((/** @type {number} */ sum, /** @type {any} */ group) => sum + group._count._all, 0), 3, 'groupBy');
}

/**
 * @param {TestModel} model
 * @param {Array<Record<string, any>>} records
 */
async function changes(model, records) {
  const [first, second, third] = records;
  const [change, other] = [changeOf(model, 11), changeOf(model, 12)];
  await run(model, 'updateOne', `where: ${graphqlKey(model, first)}, data: ${graphqlRecord(model, change)}`);
  await run(model, 'upsertOne', upsert(model, second, other));
  await run(model, 'deleteOne', `where: ${graphqlKey(model, third)}`);
  await run(model, 'upsertOne', upsert(model, third, other));
  await comparesWithSql(model);
  const rows = await stored(model);
  for (const record of [{ ...first, ...change }, { ...second, ...other }, third]) {
    const wanted = expected(model, record);
    const row = rows.find((one) => model.id.every((name) => one[name] === wanted[name])) ?? {};
    assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((name) => [name, row[name]])), wanted, 'update and upsert');
  }
}

/**
 * @param {TestModel} model
 * @param {Record<string, any>} record
 * @param {Record<string, any>} change
 */
const upsert = (model, record, change) =>
  `where: ${graphqlKey(model, record)}, create: ${graphqlRecord(model, record)}, update: ${graphqlRecord(model, change)}`;

/**
 * @param {TestModel} model
 * @param {Array<Record<string, any>>} records
 */
async function removes(model, records) {
  const gone = await run(model, 'deleteOne', `where: ${graphqlKey(model, records[0])}`);
  assert.deepEqual(gone[model.id[0]], records[0][model.id[0]]);
  await assert.rejects(run(model, 'deleteOne', `where: ${graphqlKey(model, records[0])}`), { code: 'P2025' });
  assert.deepEqual(await run(model, 'deleteMany', '', 'count'), { count: 2 });
  const data = records.map((record) => graphqlRecord(model, record)).join(', ');
  assert.deepEqual(await run(model, 'createMany', `data: [${data}], skipDuplicates: true`, 'count'), { count: 3 });
  assert.deepEqual(await run(model, 'createMany', `data: [${data}], skipDuplicates: true`, 'count'), { count: 0 });
  await comparesWithSql(model);
  await assert.rejects(run(model, 'createOne', `data: ${graphqlRecord(model, records[0])}`), { code: 'P2002' });
}

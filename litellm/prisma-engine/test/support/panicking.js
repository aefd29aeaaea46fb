/**
 * Makes the WebAssembly engine panic and prints what came of it. A process of its own: node:test
 * would take the panic for a failure of the test.
 */
import { readFileSync } from 'node:fs';
import { Engine } from '../../src/query-engine/engine.js';
import { surviveSurprises } from '../../src/query-engine/lifetime.js';

const [, , url, schema] = process.argv;
const settings = { host: '', port: 0, datamodel: readFileSync(schema, 'utf8'), url, rawQueries: true, logQueries: false };
const engine = new Engine(settings);
surviveSurprises((message) => engine.panicked(message));

/** @param {string} sql */
const raw = (sql) => JSON.stringify({ action: 'queryRaw', query: { arguments: { query: sql, parameters: '[]' }, selection: {} } });
const name = (/** @type {Error} */ error) => error.constructor.name;

await engine.query(raw('SELECT 1'), undefined);
const underWay = engine.query(raw('SELECT pg_sleep(60)'), undefined).catch(name);
// The engine asserts that ids of transactions are long; routes.js lets no short one through.
const panicked = await engine.query(raw('SELECT 1'), 'short').catch(name);
const result = { panicked, underWay: await underWay, next: (await engine.query(raw('SELECT 1 AS a'), undefined)).data.queryRaw.rows, busy: engine.poolStats.busy };
console.log(JSON.stringify(result));
process.exit();

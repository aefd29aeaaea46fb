/** Values of raw queries, in the form that prisma-client-py deserialises (prisma/_raw_query.py). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { noDatabase } from '../support/database.js';
import { smallEngine } from '../support/small-engine.js';

/** @type {Awaited<ReturnType<typeof smallEngine>>} */
let small;

/** Expression, type, value. @type {Array<[string, string, unknown]>} */
const VALUES = [
  ['1::int2', 'int', 1],
  ['2147483647', 'int', 2147483647],
  ['9007199254740993::int8', 'bigint', '9007199254740993'],
  ['-1.500::numeric(10,3)', 'decimal', '-1.5'],
  ['12345678901234567890.123456789::numeric', 'decimal', '12345678901234567890.123456789'],
  ['0.1::float4', 'float', 0.1],
  ['0.1::float8', 'double', 0.1],
  ['1e-300::float8', 'double', 1e-300],
  ['true', 'bool', true],
  ["'text ü🐘'", 'string', 'text ü🐘'],
  ["'abc'::varchar(5)", 'string', 'abc'],
  ["'ab'::char(4)", 'string', 'ab  '],
  [`'x'::"char"`, 'char', 'x'],
  ["'n'::name", 'string', 'n'],
  ["'pg_class'::regclass", 'string', 'pg_class'],
  ["'pg_class'::regclass::oid", 'bigint', '1259'],
  ["'{\"a\": [1, {\"$type\": \"x\"}]}'::jsonb", 'json', { a: [1, { $type: 'x' }] }],
  ["'\"text\"'::json", 'json', 'text'],
  ["'null'::jsonb", 'json', null],
  ["'1.5'::jsonb", 'json', 1.5],
  ["'\\xdeadbeef'::bytea", 'bytes', '3q2+7w=='],
  ["'2024-02-29'::date", 'date', '2024-02-29'],
  ["'10:11:12.5'::time", 'time', '10:11:12.500'],
  ["'2024-02-29 10:11:12.345'::timestamp", 'datetime', '2024-02-29T10:11:12.345+00:00'],
  ["'2024-02-29 10:11:12.345678+05:30'::timestamptz", 'datetime', '2024-02-29T04:41:12.345678+00:00'],
  ["'6dd2bd0e-1ee1-4c0c-a5b1-8b1b0a7f2a0e'::uuid", 'uuid', '6dd2bd0e-1ee1-4c0c-a5b1-8b1b0a7f2a0e'],
  ["interval '1 day 02:03:04'", 'string', '1 day 02:03:04'],
  ["'10.0.0.1/8'::inet", 'string', '10.0.0.1/8'],
  ["'10.0.0.0/8'::cidr", 'string', '10.0.0.0/8'],
  ["B'101'", 'string', '101'],
  ["'<a/>'::xml", 'string', '<a/>'],
  ["'[1,3)'::int4range", 'string', '[1,3)'],
  ["'(1,2)'::point", 'string', '(1,2)'],
  ["to_tsvector('simple', 'a b')", 'string', "'a':1 'b':2"],
  ["'happy'::mood", 'string', 'happy'],
  ["ARRAY['happy', NULL]::mood[]", 'string-array', ['happy', null]],
  ["ROW(1, 'a')", 'string', '(1,a)'],
  ['ARRAY[1, NULL, 3]', 'int-array', [1, null, 3]],
  ['ARRAY[1]::int8[]', 'bigint-array', ['1']],
  ['ARRAY[1.50]', 'decimal-array', ['1.5']],
  ["ARRAY['a,b', 'c\"d', '', 'NULL']", 'string-array', ['a,b', 'c"d', '', 'NULL']],
  ["ARRAY['a'::name]", 'string-array', ['a']],
  ["ARRAY[interval '1 day']", 'string-array', ['1 day']],
  ["ARRAY[true, false]", 'bool-array', [true, false]],
  ["ARRAY['{\"a\": 1}'::jsonb]", 'json-array', [{ a: 1 }]],
  ["ARRAY['2024-01-01'::date]", 'date-array', ['2024-01-01']],
  ["ARRAY['2024-01-01 00:00:00+01'::timestamptz]", 'datetime-array', ['2023-12-31T23:00:00+00:00']],
  ["ARRAY['\\x00'::bytea]", 'bytes-array', ['AA==']],
  ["'{}'::text[]", 'string-array', []],
  ['pg_sleep(0)', 'string', ''],
];

describe('raw queries', { skip: noDatabase }, () => {
  before(async () => {
    small = await smallEngine();
    await small.db.sql("CREATE TYPE mood AS ENUM ('happy')");
  });
  after(() => small?.close());

  for (const [expression, type, value] of VALUES) {
    test(`${expression} is ${type}`, async () => {
      const { columns, types, rows } = await small.engine.queryRaw(`SELECT ${expression} AS v`);
      assert.deepEqual({ columns, types, rows }, { columns: ['v'], types: [type], rows: [[value]] });
    });
  }

  test('times do not hang on the session\'s zone or style', async () => {
    const name = new URL(small.db.url).pathname.slice(1);
    await small.db.sql(`ALTER DATABASE ${name} SET timezone = 'Asia/Kolkata'`);
    await small.db.sql(`ALTER DATABASE ${name} SET datestyle = 'German'`);
    await small.db.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()');
    const sql = "SELECT '2024-02-29 10:00:00+00'::timestamptz AS v, current_setting('timezone') AS zone";
    const { rows } = await small.engine.queryRaw(sql).catch(() => small.engine.queryRaw(sql));
    assert.deepEqual(rows, [['2024-02-29T10:00:00+00:00', 'Asia/Kolkata']]);
  });

  test('NULL of any type, no rows, no columns', async () => {
    assert.deepEqual((await small.engine.queryRaw('SELECT NULL::jsonb, NULL, NULL::int[]')).rows, [[null, null, null]]);
    assert.deepEqual((await small.engine.queryRaw('SELECT 1 AS a WHERE false')), { columns: ['a'], types: ['int'], rows: [] });
    assert.deepEqual((await small.engine.queryRaw('SELECT')).rows, [[]]);
  });

  test('parameters of every kind arrive', async () => {
    const { rows } = await small.engine.queryRaw(
      'SELECT $1::int, $2::text, $3::timestamptz, $4::jsonb, $5::text[], $6::bool, $7::float8, $8::uuid, $9::int8, $10::text = ANY($5)',
      [7, 'ü "q" \\', '2024-01-01T00:00:00.123456+00:00', '{"a": 1}', ['a', 'b,c'], true, 1.5,
        '6dd2bd0e-1ee1-4c0c-a5b1-8b1b0a7f2a0e', 2 ** 40, 'b,c'],
    );
    assert.deepEqual(rows, [[7, 'ü "q" \\', '2024-01-01T00:00:00.123456+00:00', { a: 1 }, ['a', 'b,c'], true, 1.5,
      '6dd2bd0e-1ee1-4c0c-a5b1-8b1b0a7f2a0e', String(2 ** 40), true]]);
  });

  test('one statement only', async () => {
    await assert.rejects(small.engine.queryRaw('SELECT 1; SELECT 2'), { code: 'P2010', meta: /** @type {any} */ ({
      code: '42601', message: 'ERROR: cannot insert multiple commands into a prepared statement',
    }) });
  });
});

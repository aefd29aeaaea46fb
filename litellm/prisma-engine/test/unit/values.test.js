import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toDriverArguments } from '../../src/postgres/arguments.js';
import { bytes, money, timestamp, timestamptz, timetz } from '../../src/postgres/values.js';

test('a time with any zone is told in UTC, to the microsecond', () => {
  assert.equal(timestamptz('2024-05-01 10:00:00.123456+00'), '2024-05-01T10:00:00.123456+00:00');
  assert.equal(timestamptz('2024-05-01 01:00:00.123456+02'), '2024-04-30T23:00:00.123456+00:00');
  assert.equal(timestamptz('2024-05-01 10:00:00-03:30'), '2024-05-01T13:30:00+00:00');
  assert.equal(timestamptz('1900-01-01 00:53:28+00:53:28'), '1900-01-01T00:00:00+00:00');
});

test('a time without a zone is taken for UTC', () => {
  assert.equal(timestamp('2024-05-01 10:00:00.5'), '2024-05-01T10:00:00.5+00:00');
  assert.equal(timetz('10:00:00.5+05:30'), '10:00:00.5');
});

test('money and bytes', () => {
  assert.equal(money('-$1,234.56'), '-1234.56');
  assert.deepEqual(bytes('\\x00ff'), [0, 255]);
});

test('bytes go to Postgres as bytes, times as the text they are', () => {
  const type = (/** @type {string} */ scalarType, arity = 'scalar') => /** @type {any} */ ({ scalarType, arity });
  const args = ['AP8=', ['AA=='], '2024-05-01T10:00:00.123456+00:00', 5n];
  assert.deepEqual(toDriverArguments(args, [type('bytes'), type('bytes', 'list'), type('datetime'), type('bigint')]), [
    Buffer.from([0, 255]), [Buffer.from([0])], '2024-05-01T10:00:00.123456+00:00', 5n,
  ]);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { breaksConnection } from '../../src/postgres/connection-errors.js';
import { parseConnectionUrl } from '../../src/postgres/connection-url.js';
import { toAdapterError } from '../../src/postgres/driver-errors.js';
import { GateTimeout } from '../../src/postgres/gate.js';
import { migrationFailure, originalError, rpcError } from '../../src/schema-engine/errors.js';

const options = parseConnectionUrl('postgresql://u:p@h:1/d?connection_limit=2&pool_timeout=3&socket_timeout=4');
/** @param {object} fields */
const failure = (fields) => Object.assign(new Error('message'), fields);
/** @param {object} fields */
const adapted = (fields) => /** @type {any} */ (toAdapterError(failure(fields), options));

describe('errors of a query keep their kind', () => {
  for (const [code, fields, expected] of /** @type {Array<[string, object, object]>} */ ([
    ['23505', { detail: 'Key (a, "b c")=(1, 2) already exists.' }, { kind: 'UniqueConstraintViolation', constraint: { fields: ['a', 'b c'] } }],
    ['23505', { detail: 'Schlüssel »(a)=(1)« existiert bereits.' }, { kind: 'UniqueConstraintViolation', constraint: { fields: ['a'] } }],
    ['23505', { constraint: 'users_key' }, { kind: 'UniqueConstraintViolation', constraint: { index: 'users_key' } }],
    ['23503', { constraint: 'fk' }, { kind: 'ForeignKeyConstraintViolation', constraint: { index: 'fk' } }],
    ['23502', { column: 'c' }, { kind: 'NullConstraintViolation', constraint: { fields: ['c'] } }],
    ['40P01', {}, { kind: 'TransactionWriteConflict' }],
    ['42P01', { message: 'relation "t" does not exist' }, { kind: 'TableDoesNotExist', table: 't' }],
    ['42703', { message: 'column t.c does not exist' }, { kind: 'ColumnNotFound', column: 't.c' }],
    ['22P02', {}, { kind: 'postgres', code: '22P02', severity: 'ERROR', message: 'message' }],
  ])) {
    test(`${code} ${JSON.stringify(fields)}`, () => {
      const { cause } = adapted({ code, severity: 'ERROR', ...fields });
      for (const [key, value] of Object.entries(expected)) assert.deepEqual(cause[key], value);
      assert.equal(cause.originalCode, code);
    });
  }
});

describe('errors of a connection have Prisma\'s code', () => {
  for (const [code, fields] of /** @type {Array<[string, object]>} */ ([
    ['P1001', { code: 'ECONNREFUSED', syscall: 'connect' }],
    ['P1001', { code: 'EAI_AGAIN', syscall: 'getaddrinfo' }],
    ['P1001', { errors: [{ code: 'ECONNREFUSED' }] }],
    ['P1001', { message: 'timeout expired' }],
    ['P1001', { code: '57P03', severity: 'FATAL' }],
    ['P1000', { code: '28P01', severity: 'FATAL' }],
    ['P1010', { code: '28000', severity: 'FATAL' }],
    ['P1003', { code: '3D000', severity: 'FATAL' }],
    ['P2037', { code: '53300', severity: 'FATAL' }],
    ['P1017', { code: '57P01', severity: 'FATAL' }],
    ['P1017', { code: 'ECONNRESET', syscall: 'read' }],
    ['P1017', { message: 'Connection terminated unexpectedly' }],
    ['P1008', { message: 'Query read timeout' }],
    ['P1011', { code: 'SELF_SIGNED_CERT_IN_CHAIN' }],
    ['P1011', { message: 'The server does not support SSL connections' }],
  ])) {
    test(`${code} for ${JSON.stringify(fields)}`, () => {
      assert.equal(adapted(fields).code, code);
      assert.ok(breaksConnection(failure(fields)));
    });
  }

  test('P2024 when no connection became free', () => {
    const error = /** @type {any} */ (toAdapterError(new GateTimeout(), options));
    assert.equal(error.code, 'P2024');
    assert.match(error.message, /connection pool timeout: 3, connection limit: 2/);
  });

  test('an error of one statement does not end the connection', () => {
    assert.ok(!breaksConnection(failure({ code: '23505', severity: 'ERROR' })));
  });
});

describe('errors of the schema engine', () => {
  test('a failed migration has its name and what Postgres said', () => {
    const thrown = new Error('No such table\n   with migration_name="2024_a b"');
    const said = failure({ code: '42P01', severity: 'ERROR', message: 'relation "x" does not exist', hint: 'look', position: '7' });
    const error = /** @type {any} */ (migrationFailure(thrown, said));
    assert.equal(error.code, 'P3018');
    assert.match(error.message, /Migration name: 2024_a b\n\nDatabase error code: 42P01\n\nDatabase error:\nERROR: relation "x"/);
    assert.match(error.message, /HINT: look\nPosition: 7/);
  });

  test('other failures stay what they are', () => {
    const thrown = Object.assign(new Error('The database schema is not empty.'), { code: 'P3005' });
    assert.equal(migrationFailure(thrown, undefined), thrown);
    assert.deepEqual(rpcError(thrown).data, { is_panic: false, message: thrown.message, error_code: 'P3005', meta: {} });
  });

  test('an error that went through the engine as a number comes back', () => {
    const original = new Error('original');
    const registry = { consumeError: () => ({ error: original }) };
    assert.equal(originalError(new Error('External error id#0'), registry), original);
    assert.equal(originalError(original, registry), original);
  });
});

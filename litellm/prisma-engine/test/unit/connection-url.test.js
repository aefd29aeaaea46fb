import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { clientConfig, sessionStatements } from '../../src/postgres/client-config.js';
import { ConnectionUrlError, parseConnectionUrl } from '../../src/postgres/connection-url.js';

const options = (/** @type {string} */ query) => parseConnectionUrl(`postgresql://u:p@h/d?${query}`);

describe('the connection URL', () => {
  test('Prisma\'s defaults', () => {
    const { tls, ...rest } = parseConnectionUrl('postgresql://u:p@h/d');
    assert.deepEqual(rest, {
      host: 'h', port: 5432, user: 'u', password: 'p', database: 'd', schema: 'public',
      connectionLimit: availableParallelism() * 2 + 1, poolTimeoutMs: 10_000, connectTimeoutMs: 5000, socketTimeoutMs: 0,
      pgbouncer: false, applicationName: 'prisma', startupOptions: '',
    });
    assert.equal(tls.mode, 'prefer');
  });

  test('a password may hold any character, percent-encoded', () => {
    const password = 'p@ss w:rd/%é\'"$`#?&';
    const url = `postgres://${encodeURIComponent('us er')}:${encodeURIComponent(password)}@[::1]:6432/${encodeURIComponent('my/db')}`;
    const { user, password: read, host, port, database } = parseConnectionUrl(url);
    assert.deepEqual([user, read, host, port, database], ['us er', password, '::1', 6432, 'my/db']);
  });

  test('every parameter', () => {
    const { tls, ...rest } = options('connection_limit=7&pool_timeout=0&connect_timeout=3&socket_timeout=4&schema=s&pgbouncer=true' +
      '&application_name=gw&host=/run/pg&options=-c%20x%3D1&sslmode=disable&statement_cache_size=0&unknown=1');
    assert.deepEqual([rest.connectionLimit, rest.poolTimeoutMs, rest.connectTimeoutMs, rest.socketTimeoutMs], [7, 0, 3000, 4000]);
    assert.deepEqual([rest.schema, rest.pgbouncer, rest.applicationName, rest.host, rest.startupOptions, tls.mode],
      ['s', true, 'gw', '/run/pg', '-c x=1', 'disable']);
  });

  for (const [what, url] of Object.entries({
    'another protocol': 'mysql://u:secret@h/d',
    'no URL': 'host=h password=secret',
    'a bare percent sign': 'postgresql://u:secret%@h/d',
    'a limit of nothing': 'postgresql://u:secret@h/d?connection_limit=0',
    'a word for a number': 'postgresql://u:secret@h/d?pool_timeout=secret',
  })) {
    test(`${what} is refused, and the message has no password in it`, () => {
      assert.throws(() => parseConnectionUrl(url), (error) => error instanceof ConnectionUrlError && !/secret/.test(error.message));
    });
  }
});

describe('TLS', () => {
  test('Prisma accepts any certificate unless told to be strict', () => {
    assert.equal(options('sslmode=require').tls.options.rejectUnauthorized, false);
    assert.equal(options('sslmode=require&sslaccept=strict').tls.options.rejectUnauthorized, true);
    assert.equal(options('sslmode=verify-full').tls.options.rejectUnauthorized, true);
    assert.equal(options('sslmode=verify-ca').tls.options.checkServerIdentity?.('h', /** @type {any} */ ({})), undefined);
  });

  test('sslcert is the authority in Prisma\'s sense, the client\'s certificate together with sslkey', () => {
    const file = import.meta.filename;
    assert.ok(options(`sslcert=${file}`).tls.options.ca);
    const { ca, cert, key } = options(`sslcert=${file}&sslkey=${file}&sslrootcert=${file}`).tls.options;
    assert.ok(ca && cert && key);
    assert.ok(options(`sslidentity=${file}&sslpassword=x`).tls.options.pfx);
  });

  test('a file that is not there is named', () => {
    assert.throws(() => options('sslcert=/none/ca.pem'), /\/none\/ca\.pem/);
  });
});

describe('what a session starts with', () => {
  test('search path and date style', () => {
    assert.equal(clientConfig(options('schema=a b"c')).options, '-c datestyle=ISO -c search_path="a\\ b""c"');
  });

  test('with PgBouncer in between, by statements', () => {
    assert.equal(clientConfig(options('pgbouncer=true')).options, undefined);
    assert.deepEqual(sessionStatements(options('pgbouncer=true&schema=s')), ['SET search_path = "s"', 'SET datestyle = ISO']);
  });
});

/** What the engine lives through, and what ends it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createDatabase, noDatabase } from '../support/database.js';
import { freePort, startEngine, until } from '../support/engine.js';
import { smallEngine, smallSchema } from '../support/small-engine.js';

const TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'prisma' AND datname = current_database()";

/** A way to the database that can be cut and opened again, as when Postgres goes away and comes back. */
async function gateway(/** @type {string} */ url) {
  const { hostname, port } = new URL(url);
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set();
  const server = createServer((inside) => {
    const outside = connect(Number(port || 5432), hostname);
    for (const [one, other] of [[inside, outside], [outside, inside]]) {
      sockets.add(one);
      one.on('error', () => other.destroy()).on('close', () => other.destroy()).pipe(other);
    }
  });
  const listen = (/** @type {number} */ at) => once(server.listen(at, '127.0.0.1'), 'listening');
  await listen(0);
  const { port: own } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const changed = new URL(url);
  Object.assign(changed, { hostname: '127.0.0.1', port: String(own) });
  return {
    url: changed.href,
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
    open: () => listen(own),
  };
}

describe('the engine', { skip: noDatabase }, () => {
  test('is ready without a database, says P1001, and works as soon as there is one', async () => {
    const db = await createDatabase();
    const way = await gateway(db.url);
    await way.close();
    const engine = await startEngine(way.url, smallSchema);
    await assert.rejects(engine.queryRaw('SELECT 1'), { code: 'P1001' });
    assert.deepEqual(await engine.startTransaction().then(({ status, body }) => [status, body.error_code]), [500, 'P1001']);
    await way.open();
    assert.deepEqual((await engine.queryRaw('SELECT 1 AS a')).rows, [[1]]);
    await way.close();
    await assert.rejects(engine.queryRaw('SELECT 1'), (/** @type {any} */ error) => ['P1001', 'P1017'].includes(error.code));
    await way.open();
    assert.deepEqual((await engine.queryRaw('SELECT 1 AS a')).rows, [[1]]);
    await way.close();
    assert.equal(await engine.stop(), 0);
    await db.drop();
  });

  test('answers P1017 when its connection is killed in the middle of a query, idle, or in a transaction', async () => {
    const { db, engine, close } = await smallEngine();
    const query = assert.rejects(engine.queryRaw('SELECT pg_sleep(60)'), { code: 'P1017' });
    await until(async () => (await db.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()")).length > 0,
      5000, () => 'the query did not start');
    await db.sql(TERMINATE);
    await query;
    const { body: { id } } = await engine.startTransaction();
    await db.sql(TERMINATE);
    await assert.rejects(engine.queryRaw('SELECT 1', [], id), { code: 'P1017' });
    assert.notEqual((await engine.post(`/transaction/${id}/commit`, '')).status, 200);
    await engine.queryRaw('SELECT 1');
    await db.sql(TERMINATE);
    await until(() => engine.queryRaw('SELECT 1').then(() => true, () => false), 5000, () => 'no new connection was opened');
    assert.equal(engine.child.exitCode, null);
    await close();
  });

  test('lives through a panic of its WebAssembly part: calls under way fail, the next one works', async () => {
    const db = await createDatabase();
    const child = spawn(process.execPath, [fileURLToPath(new URL('../support/panicking.js', import.meta.url)), db.url, smallSchema]);
    const [line] = await once(child.stdout, 'data');
    assert.deepEqual(JSON.parse(line), { panicked: 'EnginePanic', underWay: 'EnginePanic', next: [[1]], busy: 0 });
    await db.drop();
  });

  test('cuts off a query after socket_timeout with P1008', async () => {
    const { engine, close } = await smallEngine({ socket_timeout: 1 });
    await assert.rejects(engine.queryRaw('SELECT pg_sleep(60)'), { code: 'P1008' });
    await close();
  });

  test('gives up connecting after connect_timeout with P1001', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = /** @type {import('node:net').AddressInfo} */ (silent.address());
    const engine = await startEngine(`postgresql://u:p@127.0.0.1:${port}/d?connect_timeout=1`, smallSchema);
    await assert.rejects(engine.queryRaw('SELECT 1'), { code: 'P1001' });
    // max_wait is for a place in the pool, not for opening a connection.
    const { status, body } = await engine.startTransaction({ max_wait: 10 });
    assert.deepEqual([status, body.error_code], [500, 'P1001']);
    await engine.stop('SIGKILL');
    silent.close();
  });

  for (const [code, change] of /** @type {Array<[string, (url: URL) => void]>} */ ([
    ['P1000', (url) => { url.password = 'wrong'; }],
    ['P1003', (url) => { url.pathname = '/not_there'; }],
  ])) {
    test(`says ${code} to wrong credentials or a wrong name`, async () => {
      const url = new URL(/** @type {string} */ (process.env.TEST_DATABASE_URL));
      change(url);
      const engine = await startEngine(url.href, smallSchema);
      await assert.rejects(engine.queryRaw('SELECT 1'), { code });
      await engine.stop('SIGKILL');
    });
  }

  for (const signal of /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGTERM'])) {
    test(`finishes what is under way on ${signal}, then ends with 0`, async () => {
      const { engine, close } = await smallEngine();
      const query = engine.queryRaw("SELECT pg_sleep(0.5), 'done' AS v");
      await until(async () => (await engine.get('/metrics?format=json')).gauges[1].value > 0, 5000, () => 'the query did not start');
      const ended = engine.stop(signal);
      assert.equal((await query).rows[0][1], 'done');
      const answered = performance.now();
      assert.equal(await ended, 0);
      assert.ok(performance.now() - answered < 1000, 'a connection kept open for reuse held up the end');
      await close();
    });
  }

  test('ends when its parent is gone', async () => {
    const db = await createDatabase();
    const { pathname } = new URL('../../bin/query-engine', import.meta.url);
    const port = await freePort();
    const parent = spawn('sh', ['-c', `"${pathname}" -p ${port} & echo $!; wait`], {
      env: { ...process.env, PRISMA_DML_PATH: smallSchema, DATABASE_URL: db.url }, stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [line] = await once(parent.stdout, 'data');
    const pid = Number(line);
    await until(() => fetch(`http://127.0.0.1:${port}/status`).then(() => true, () => false), 5000, () => 'no engine');
    parent.kill('SIGKILL');
    const alive = () => { try { return process.kill(pid, 0); } catch { return false; } };
    await until(() => !alive(), 5000, () => 'the engine outlived its parent');
    await db.drop();
  });
});

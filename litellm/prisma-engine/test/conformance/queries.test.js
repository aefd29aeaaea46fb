/** Batches, transactions and errors. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { noDatabase } from '../support/database.js';
import { rawQuery, until } from '../support/engine.js';
import { createParent, smallEngine } from '../support/small-engine.js';

/** @type {Awaited<ReturnType<typeof smallEngine>>} */
let small;
const ids = async () => (await small.db.sql('SELECT id FROM "Parent" ORDER BY id')).map(({ id }) => id);
const connections = async () => (await small.engine.get('/metrics?format=json')).gauges
  .find((/** @type {any} */ gauge) => gauge.key === 'prisma_pool_connections_busy').value;

describe('queries', { skip: noDatabase }, () => {
  before(async () => { small = await smallEngine({ connection_limit: 2, pool_timeout: 1 }); });
  after(() => small?.close());
  beforeEach(() => small.db.sql('TRUNCATE "Parent" CASCADE'));

  describe('a batch', () => {
    test('in a transaction is all or nothing', async () => {
      const answer = await small.engine.batch([createParent(1), createParent(2), createParent(3, 'parent 1')], true);
      assert.equal(answer.errors[0].user_facing_error.error_code, 'P2002');
      assert.deepEqual(await ids(), []);
      const { batchResult } = await small.engine.batch([createParent(1), rawQuery('executeRaw', 'DELETE FROM "Parent"'), createParent(2)], true);
      assert.deepEqual(batchResult, [{ data: { result: { id: 1 } } }, { data: { result: 1 } }, { data: { result: { id: 2 } } }]);
      assert.deepEqual(await ids(), [2]);
    });

    test('outside a transaction is each for itself', async () => {
      const { batchResult } = await small.engine.batch([createParent(1), createParent(2, 'parent 1'), createParent(3)], false);
      assert.deepEqual(batchResult.map((/** @type {any} */ one) => 'errors' in one), [false, true, false]);
      assert.deepEqual(await ids(), [1, 3]);
    });

    test('of findUnique, which the engine makes one query of, answers each in its order', async () => {
      await small.engine.batch([createParent(1), createParent(2)], true);
      const find = (/** @type {number} */ id) => `query { result: findUniqueParent(where: {id: ${id}}) { name } }`;
      const { batchResult } = await small.engine.batch([find(2), find(9), find(1)], false);
      assert.deepEqual(batchResult.map((/** @type {any} */ one) => one.data.result), [{ name: 'parent 2' }, null, { name: 'parent 1' }]);
    });
  });

  describe('a transaction', () => {
    test('is seen by others once it is committed', async () => {
      const { body: { id } } = await small.engine.startTransaction();
      await small.engine.query(createParent(1), id);
      assert.deepEqual(await ids(), []);
      assert.deepEqual(await small.engine.post(`/transaction/${id}/commit`, ''), { status: 200, body: {} });
      assert.deepEqual(await ids(), [1]);
    });

    test('is gone when it is rolled back', async () => {
      const { body: { id } } = await small.engine.startTransaction();
      await small.engine.query(createParent(1), id);
      assert.equal((await small.engine.post(`/transaction/${id}/rollback`, '')).status, 200);
      assert.deepEqual(await ids(), []);
    });

    test('ends after its timeout, rolled back, and says so', async () => {
      const { body: { id } } = await small.engine.startTransaction({ timeout: 50 });
      await small.engine.query(createParent(1), id);
      await until(async () => (await connections()) === 0, 5000, () => 'the transaction did not end');
      await assert.rejects(small.engine.query(createParent(2), id), (/** @type {any} */ error) => {
        assert.equal(error.code, 'P2028');
        // prisma-client-py tells an expired transaction by this (prisma/engine/utils.py).
        return error.error.startsWith('Transaction already closed');
      });
      assert.equal((await small.engine.post(`/transaction/${id}/commit`, '')).status, 422);
      assert.deepEqual(await ids(), []);
    });

    test('that nobody knows is not found', async () => {
      for (const id of ['x', 'cm0000000000000000000000']) {
        assert.equal((await small.engine.post(`/transaction/${id}/commit`, '')).status, 404);
        await assert.rejects(small.engine.query(createParent(1), id), { code: 'P2028' });
      }
    });

    test('is not waited for longer than max_wait, and what was waited for does not leak', async () => {
      const open = [await small.engine.startTransaction(), await small.engine.startTransaction()];
      const late = await Promise.all([1, 2, 3].map(() => small.engine.startTransaction({ max_wait: 50 })));
      assert.deepEqual(late.map(({ status, body }) => [status, body.error_code]), [[504, 'P2028'], [504, 'P2028'], [504, 'P2028']]);
      for (const { body } of open) await small.engine.post(`/transaction/${body.id}/rollback`, '');
      await until(async () => (await connections()) === 0, 2000, () => 'a connection leaked');
    });

    test('survives a failed statement as far as Postgres lets it', async () => {
      const { body: { id } } = await small.engine.startTransaction();
      await assert.rejects(small.engine.queryRaw('SELECT nothing', [], id), { code: 'P2010' });
      await assert.rejects(small.engine.query(createParent(1), id));
      await small.engine.post(`/transaction/${id}/rollback`, '');
      await until(async () => (await connections()) === 0, 2000, () => 'a connection leaked');
      await small.engine.query(createParent(1));
    });
  });

  describe('errors', () => {
    test('P2002 names the fields', async () => {
      await small.engine.query(createParent(1));
      await assert.rejects(small.engine.query(createParent(2, 'parent 1')), (/** @type {any} */ error) => {
        assert.deepEqual([error.code, error.meta.target, error.meta.modelName], ['P2002', ['name'], error.meta.modelName]);
        return true;
      });
    });

    for (const [code, query] of /** @type {Array<[string, string]>} */ ([
      ['P2003', 'mutation { result: createOneChild(data: {id: 1, parentId: 9}) { id } }'],
      ['P2025', 'mutation { result: updateOneParent(where: {id: 9}, data: {note: "x"}) { id } }'],
      ['P2025', 'mutation { result: deleteOneParent(where: {id: 9}) { id } }'],
      ['P2025', 'query { result: findUniqueParentOrThrow(where: {id: 9}) { id } }'],
      ['P2009', 'query { result: findManyParent { id size } }'],
      ['P2009', 'query { result: findManyParent(where: {size: 1}) { id } }'],
      ['P2009', 'query { result: findManyParent( }'],
      ['P2010', rawQuery('queryRaw', 'SELECT * FROM nowhere')],
      ['P2010', rawQuery('executeRaw', 'INSERT INTO "Parent" (id) VALUES ($1)', ['x'])],
      ['P2033', 'query { result: findManyParent(where: {id: 99999999999999999999}) { id } }'],
    ])) {
      test(`${code} for ${query}`, async () => {
        await assert.rejects(small.engine.query(query), { code });
      });
    }

    test('a missing value is named', async () => {
      // prisma-client-py looks for these words (prisma/engine/utils.py).
      await assert.rejects(small.engine.query('mutation { result: createOneParent(data: {id: 1}) { id } }'), /A value is required but not set/);
    });

    test('P2021 for a table that is not there', async () => {
      await small.db.sql('ALTER TABLE "Child" RENAME TO "Elsewhere"');
      await assert.rejects(small.engine.query('query { result: findManyChild { id } }'), { code: 'P2021' });
      await small.db.sql('ALTER TABLE "Elsewhere" RENAME TO "Child"');
    });

    test('P2024 when no connection becomes free within pool_timeout', async () => {
      const sleeps = Array.from({ length: 3 }, () => small.engine.queryRaw('SELECT pg_sleep(1.5)'));
      const results = await Promise.allSettled(sleeps);
      const codes = results.map((result) => (result.status === 'rejected' ? result.reason.code : 'ok')).sort();
      assert.deepEqual(codes, ['P2024', 'ok', 'ok']);
    });

    test('what is not JSON, and what is nowhere', async () => {
      assert.equal((await small.engine.post('/', '{')).status, 400);
      assert.equal((await small.engine.post('/nowhere', '')).status, 404);
    });
  });

  test('more queries at once than connections all get their answer', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => small.engine.queryRaw(`SELECT ${i} AS i`)));
    assert.deepEqual(answers.map(({ rows }) => rows[0][0]), Array.from({ length: 50 }, (_, i) => i));
    const [{ count }] = await small.db.sql(
      "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'prisma'",
    );
    assert.ok(count <= 2, `${count} connections`);
  });
});

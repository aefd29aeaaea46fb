import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errorAnswer, toGraphqlAnswer, toGraphqlBatchAnswer } from '../../src/query-engine/answers.js';
import { ErrorRegistry, KnownError } from '../../src/postgres/error-registry.js';

const registry = new ErrorRegistry();
const read = { json: '', alias: 'result', raw: false };
const raw = { json: '', alias: 'result', raw: true };

describe('answers of the engine', () => {
  test('tags go, at any depth', () => {
    const data = { findManyUser: [{ at: { $type: 'DateTime', value: 'T' }, n: null, list: [{ $type: 'BigInt', value: '1' }] }] };
    assert.deepEqual(toGraphqlAnswer({ data }, read, registry), { data: { result: [{ at: 'T', n: null, list: ['1'] }] } });
  });

  test('what looks like a tag inside a JSON column is data', () => {
    const data = { queryRaw: { columns: ['j'], types: ['json'], rows: [[{ $type: 'x', value: 1 }]] } };
    assert.deepEqual(toGraphqlAnswer({ data }, raw, registry).data?.result, data.queryRaw);
    const model = { findFirstUser: { meta: { $type: 'Json', value: '{"$type":"x","value":1}' } } };
    assert.deepEqual(toGraphqlAnswer({ data: model }, read, registry).data?.result, { meta: '{"$type":"x","value":1}' });
  });

  test('a batch answers each query, or with the error that ended it', () => {
    const one = { data: { findFirstUser: null } };
    assert.deepEqual(toGraphqlBatchAnswer({ batchResult: [one, one] }, [read, read], registry).batchResult?.length, 2);
    const errors = [{ error: 'e', user_facing_error: { is_panic: false, message: 'e', error_code: 'P2002', meta: {} } }];
    assert.deepEqual(toGraphqlBatchAnswer({ errors }, [read], registry), { errors });
  });

  test('an error that went through the engine as a number comes back, once', () => {
    const id = registry.registerNewError(new KnownError('P2024', 'Timed out', { timeout: 1 }));
    const outside = { error: 'x', user_facing_error: { is_panic: false, message: 'x', error_code: 'P2036', meta: { id } } };
    const answer = toGraphqlAnswer({ errors: [outside] }, read, registry);
    assert.deepEqual(answer.errors?.[0].user_facing_error, {
      is_panic: false, message: 'Timed out', error_code: 'P2024', meta: { timeout: 1 },
    });
    assert.equal(toGraphqlAnswer({ errors: [outside] }, read, registry).errors?.[0], outside);
  });

  test('an error of no known kind has a message and no code', () => {
    assert.deepEqual(errorAnswer(new Error('odd')), { error: 'odd', user_facing_error: { is_panic: false, message: 'odd', meta: {} } });
  });
});

test('the registry of errors does not grow for ever', () => {
  const small = new ErrorRegistry();
  const first = small.registerNewError(new Error('first'));
  for (let i = 0; i < 1000; i += 1) small.registerNewError(new Error('later'));
  assert.equal(small.consumeError(first), undefined);
});

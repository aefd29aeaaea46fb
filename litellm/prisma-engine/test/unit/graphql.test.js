import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { translated, translator } from '../support/schemas.js';

describe('GraphQL to the JSON protocol', () => {
  test('an operation is its action, its model and what is selected', () => {
    assert.deepEqual(translated('query { result: findUniqueUser(where: {id: "a"}) { id posts(take: 2) { id } } }'), {
      modelName: 'User',
      action: 'findUnique',
      query: {
        arguments: { where: { id: 'a' } },
        selection: { id: true, posts: { arguments: { take: 2 }, selection: { id: true } } },
      },
    });
  });

  test('the answer goes under the alias', () => {
    assert.equal(translator.translate('query { result: findManyUser { id } }').alias, 'result');
    assert.equal(translator.translate('query { findManyUser { id } }').alias, 'findManyUser');
  });

  test('endings belong to the action, unless a model is called so', () => {
    assert.equal(translated('query { findFirstUserOrThrow { id } }').action, 'findFirstOrThrow');
    assert.deepEqual(
      [translated('query { findFirstPostOrThrow { id } }')].map(({ modelName, action }) => [modelName, action]),
      [['PostOrThrow', 'findFirst']],
    );
  });

  test('raw queries have no model and no JSON of their own', () => {
    const query = 'mutation { result: queryRaw(query: "SELECT $1", parameters: "[{\\"a\\": 1}]") }';
    assert.deepEqual(translated(query), {
      action: 'queryRaw',
      query: { arguments: { query: 'SELECT $1', parameters: '[{"a": 1}]' }, selection: {} },
    });
  });

  test('text passes with quotes, backslashes, line ends and characters beyond the first plane', () => {
    const text = 'a "quote", a \\ and a\nline, a tab\t, \u007f, 🐘 and {"$type": "x"}';
    assert.equal(translated(`query { findManyUser(where: {id: ${JSON.stringify(text)}}) { id } }`).query.arguments.where.id, text);
  });

  test('numbers keep every digit', () => {
    const { json } = translator.translate('query { findManyPost(where: {id: 9007199254740993, x: 1e-7, y: -0.10}) { id } }');
    assert.match(json, /"id":9007199254740993,"x":1e-7,"y":-0.10/);
  });

  test('a number beyond 64 bits is refused with P2033', () => {
    for (const number of ['9223372036854775808', '-9223372036854775809']) {
      assert.throws(() => translator.translate(`query { findManyPost(where: {id: ${number}}) { id } }`), { code: 'P2033' });
    }
    translator.translate('query { findManyPost(where: {id: -9223372036854775808}) { id } }');
  });

  test('enums, lists, null and booleans', () => {
    const { where } = translated('query { findManyPost(where: {a: asc, b: [1, [2]], c: null, d: true}) { id } }').query.arguments;
    assert.deepEqual(where, { a: { $type: 'Enum', value: 'asc' }, b: [1, [2]], c: null, d: true });
  });

  for (const [what, query] of Object.entries({
    'a syntax error': 'query { findManyUser(where: {id: NaN}',
    'an unknown operation': 'query { stealUser { id } }',
    'an unknown model': 'query { findManyCar { id } }',
    'a fragment': 'fragment f on User { id } query { findManyUser { ...f } }',
    'a variable': 'query { findManyUser(where: $where) { id } }',
    'an empty document': '',
  })) {
    test(`${what} is refused with P2009`, () => {
      assert.throws(() => translator.translate(query), { code: 'P2009' });
    });
  }
});

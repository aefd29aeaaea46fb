import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseModels } from '../../src/query-engine/models.js';
import { SMALL_SCHEMA, translated } from '../support/schemas.js';

const json = (/** @type {string} */ value) => ({ $type: 'Json', value });

/**
 * @param {string} operation
 * @param {string} args
 */
const argumentsOf = (operation, args) => translated(`mutation { ${operation}(${args}) { id } }`).query.arguments;

describe('JSON among the arguments', () => {
  test('a JSON field of the model itself is tagged, other text is not', () => {
    assert.deepEqual(argumentsOf('createOneUser', 'data: {id: "{}", meta: "{}"}'), { data: { id: '{}', meta: json('{}') } });
  });

  test('each record of createMany', () => {
    assert.deepEqual(argumentsOf('createManyUser', 'data: [{id: "1", meta: "1"}, {id: "2", meta: "2"}]').data[1], {
      id: '2', meta: json('2'),
    });
  });

  test('both branches of an upsert', () => {
    const { create, update } = argumentsOf('upsertOneUser', 'where: {id: "1"}, create: {meta: "1"}, update: {meta: {set: "2"}}');
    assert.deepEqual([create, update], [{ meta: json('1') }, { meta: { set: json('2') } }]);
  });

  test('records created, connected or updated through a relation', () => {
    const { data } = argumentsOf('updateOneUser', `where: {id: "1"}, data: {posts: {
      create: [{extra: "1"}], connectOrCreate: {where: {id: 1}, create: {extra: "2"}},
      createMany: {data: [{extra: "3"}]}, update: {where: {id: 1}, data: {extra: "4"}},
      upsert: {where: {id: 1}, create: {extra: "5"}, update: {extra: "6"}}}, profile: {update: {bio: "7"}}}`);
    assert.deepEqual(data.posts.create, [{ extra: json('1') }]);
    assert.deepEqual(data.posts.connectOrCreate.create, { extra: json('2') });
    assert.deepEqual(data.posts.createMany.data, [{ extra: json('3') }]);
    assert.deepEqual(data.posts.update.data, { extra: json('4') });
    assert.deepEqual([data.posts.upsert.create, data.posts.upsert.update], [{ extra: json('5') }, { extra: json('6') }]);
    assert.deepEqual(data.profile.update, { bio: json('7') });
  });

  test('words of relations are not taken for fields of that name', () => {
    const { data } = argumentsOf('updateOnePost', `where: {id: 1}, data: {author: {upsert: {
      create: {id: "1"}, update: {id: "2", update: "3"}}}}`);
    assert.deepEqual(data.author.upsert, { create: { id: '1' }, update: { id: '2', update: json('3') } });
  });

  test('filters, also inside AND, OR, NOT, relations and compound keys', () => {
    const { where } = argumentsOf('findManyUser', `where: {AND: [{meta: {equals: "1"}}], OR: {NOT: {meta: {not: "2"}}},
      posts: {some: {extra: {equals: "3"}}}, profile: {bio: {equals: "4"}}}`);
    assert.deepEqual(where.AND, [{ meta: { equals: json('1') } }]);
    assert.deepEqual(where.OR, { NOT: { meta: { not: json('2') } } });
    assert.deepEqual(where.posts, { some: { extra: { equals: json('3') } } });
    assert.deepEqual(where.profile, { bio: { equals: json('4') } });
    assert.deepEqual(argumentsOf('findUniquePost', 'where: {id_authorId: {id: 1, authorId: "{}"}}').where, {
      id_authorId: { id: 1, authorId: '{}' },
    });
  });

  test('in a filter of JSON, paths and pieces of text are not JSON', () => {
    const { meta } = argumentsOf('findManyUser', `where: {meta: {path: ["a"], string_contains: "b", mode: "insensitive",
      array_contains: ["1"]}}`).where;
    assert.deepEqual(meta, { path: ['a'], string_contains: 'b', mode: 'insensitive', array_contains: [json('1')] });
  });

  test('the words for null in JSON columns stay words', () => {
    assert.deepEqual(argumentsOf('createOneUser', 'data: {meta: "JsonNull", update: "DbNull"}').data, {
      meta: 'JsonNull', update: 'DbNull',
    });
  });

  test('a selected relation has arguments of its own model', () => {
    const { selection } = translated('query { findManyUser { id posts(where: {extra: {equals: "1"}}) { id } } }').query;
    assert.deepEqual(selection.posts.arguments.where, { extra: { equals: json('1') } });
  });
});

test('models are read with their JSON fields and relations, comments and attributes left aside', () => {
  const user = parseModels(SMALL_SCHEMA).get('User');
  assert.deepEqual([...(user?.json ?? [])], ['meta', 'update']);
  assert.deepEqual(Object.fromEntries(user?.relations ?? []), { posts: 'Post', profile: 'Profile' });
});

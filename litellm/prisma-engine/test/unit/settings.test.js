import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parseCommandLine, readSettings, SettingsError } from '../../src/query-engine/settings.js';
import { parseCommandLine as parseSchemaEngine } from '../../src/schema-engine/command-line.js';
import { databaseUrl } from '../../src/schema-engine/datamodel.js';
import { readMigrations } from '../../src/schema-engine/migrations.js';

const folder = mkdtempSync(path.join(tmpdir(), 'prisma-engine-'));
const schema = path.join(folder, 'schema.prisma');
writeFileSync(schema, 'datasource client {\n  provider = "postgresql"\n  url      = env("DATABASE_URL")\n}\n');

/**
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
const settings = (args, env) => readSettings(parseCommandLine(args), { PRISMA_DML_PATH: schema, ...env });

describe('the query engine\'s command line', () => {
  test('as prisma-client-py starts it', () => {
    const { host, port, rawQueries, url } = settings(['-p', '4321', '--enable-metrics', '--enable-raw-queries'], { DATABASE_URL: 'url' });
    assert.deepEqual([host, port, rawQueries, url], ['127.0.0.1', 4321, true, 'url']);
  });

  test('a datasource given by the program comes first', () => {
    const override = JSON.stringify([{ name: 'client', url: 'other' }]);
    for (const value of [override, Buffer.from(override).toString('base64')]) {
      assert.equal(settings([], { DATABASE_URL: 'url', OVERWRITE_DATASOURCES: value }).url, 'other');
    }
  });

  test('what is missing is named', () => {
    assert.throws(() => settings([], {}), /DATABASE_URL/);
    assert.throws(() => settings([], { PRISMA_DML_PATH: undefined }), SettingsError);
  });
});

describe('the schema engine\'s command line', () => {
  test('schemas of the RPC server', () => {
    assert.deepEqual(parseSchemaEngine(['-d', 'a', '-d', 'b']).schemaPaths, ['a', 'b']);
  });

  test('commands', () => {
    const { cliCommand, datasourceUrl, schemaPaths } = parseSchemaEngine(['cli', '--datasource', 'url', 'create-database']);
    assert.deepEqual([cliCommand, datasourceUrl, schemaPaths], ['create-database', 'url', []]);
  });

  test('directUrl bypasses a pooler', () => {
    const text = 'datasource d {\n  url = env("A")\n  directUrl = env("B")\n}';
    assert.equal(databaseUrl([['s', text]], { A: 'pooled', B: 'direct' }), 'direct');
    assert.equal(databaseUrl([['s', text]], { A: 'pooled' }), 'pooled');
  });

  test('a folder without migration.sql is an error of that migration', async () => {
    const list = await readMigrations(path.dirname(folder));
    const own = list.migrationDirectories.find((directory) => directory.path === path.basename(folder));
    assert.equal(own?.migrationFile.content.tag, 'error');
    assert.deepEqual((await readMigrations(path.join(folder, 'none'))).migrationDirectories, []);
  });
});

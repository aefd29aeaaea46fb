/** A folder of migrations, as the engine takes it: it has no access to files of its own. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * @typedef {object} MigrationList
 * @property {string} baseDir
 * @property {{ path: string, content: string | null }} lockfile
 * @property {string} shadowDbInitScript
 * @property {MigrationDirectory[]} migrationDirectories
 */
/**
 * @typedef {object} MigrationDirectory
 * @property {string} path name of the migration
 * @property {{ path: string, content: { tag: 'ok' | 'error', value: string } }} migrationFile
 */

/**
 * @param {string} baseDir
 * @returns {Promise<MigrationList>}
 */
export async function readMigrations(baseDir) {
  const names = await migrationNames(baseDir);
  return {
    baseDir,
    lockfile: { path: 'migration_lock.toml', content: await readOr(path.join(baseDir, 'migration_lock.toml'), null) },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(names.map((name) => readMigration(baseDir, name))),
  };
}

/**
 * Names start with the time of their making, so the order of names is the order of application.
 * @param {string} baseDir
 */
async function migrationNames(baseDir) {
  const entries = await readdir(baseDir, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();
}

/**
 * @param {string} baseDir
 * @param {string} name
 * @returns {Promise<MigrationDirectory>}
 */
async function readMigration(baseDir, name) {
  const file = path.join(baseDir, name, 'migration.sql');
  const script = await readOr(file, undefined);
  const content = script === undefined
    ? { tag: /** @type {const} */ ('error'), value: `cannot read ${file}` }
    : { tag: /** @type {const} */ ('ok'), value: script };
  return { path: name, migrationFile: { path: 'migration.sql', content } };
}

/**
 * @template T
 * @param {string} file
 * @param {T} otherwise
 */
const readOr = (file, otherwise) => readFile(file, 'utf8').catch(() => otherwise);

/**
 * The methods that the Prisma CLI 5.17 calls, in terms of the WebAssembly engine of 6.19. The CLI
 * names folders and leaves reading to the engine; the WebAssembly engine wants their content.
 */
import { databaseUrl, EMPTY_SCHEMA, readSchemas } from './datamodel.js';
import { openEngine } from './engine.js';
import { migrationFailure } from './errors.js';
import { recordFailure } from './failure-log.js';
import { readMigrations } from './migrations.js';
import { KnownError } from '../postgres/error-registry.js';

/** @typedef {import('./engine.js').OpenEngine} OpenEngine */

const ALL_TABLES = { externalTables: [], externalEnums: [] };

export class Methods {
  #schemas;
  #env;
  #print;
  /** @type {Map<string, Promise<OpenEngine>>} */
  #open = new Map();

  /**
   * @param {string[]} schemaPaths
   * @param {NodeJS.ProcessEnv} env
   * @param {(text: string) => Promise<void>} print to the user
   */
  constructor(schemaPaths, env, print) {
    this.#schemas = readSchemas(schemaPaths);
    this.#env = env;
    this.#print = print;
  }

  /** @param {any} input */
  async applyMigrations(input) {
    const migrationsList = await migrationsOf(input);
    const { run, session } = await this.#locked();
    try {
      return await run('applyMigrations', { migrationsList, filters: ALL_TABLES });
    } catch (error) {
      const failure = migrationFailure(/** @type {Error} */ (error), session.lastError);
      await recordFailure(session, failure);
      throw failure;
    }
  }

  /** @param {any} input */
  async diagnoseMigrationHistory(input) {
    const { run } = await this.#engine();
    const migrationsList = await migrationsOf(input);
    const { optInToShadowDatabase } = input;
    const found = await run('diagnoseMigrationHistory', { migrationsList, optInToShadowDatabase, filters: ALL_TABLES });
    return { drift: null, errorInUnappliedMigration: null, ...found };
  }

  /** @param {any} input */
  async listMigrationDirectories(input) {
    const { migrationDirectories } = await migrationsOf(input);
    return { migrations: migrationDirectories.map((directory) => directory.path) };
  }

  /** @param {any} input */
  async markMigrationApplied(input) {
    const { run } = await this.#locked();
    return run('markMigrationApplied', { migrationName: input.migrationName, migrationsList: await migrationsOf(input) });
  }

  /** @param {any} input */
  async markMigrationRolledBack({ migrationName }) {
    const { run } = await this.#locked();
    return run('markMigrationRolledBack', { migrationName });
  }

  /** @param {any} input */
  async ensureConnectionValidity(input) {
    const { session } = await this.#engine(urlOf(input?.datasource));
    await session.use((client) => client.query('SELECT 1'));
    return {};
  }

  /** @param {any} input */
  async getDatabaseVersion(input) {
    const { session } = await this.#engine(urlOf(input?.datasource));
    const { rows } = await session.use((client) => client.query('SELECT version()'));
    return rows[0].version;
  }

  /** @param {any} input */
  async dbExecute({ datasourceType, script }) {
    const { session } = await this.#engine(urlOf(datasourceType));
    await session.script(script);
    return null;
  }

  /** @param {any} input */
  async schemaPush({ schema, force }) {
    const { run } = await this.#locked();
    return run('schemaPush', { schema, force, filters: ALL_TABLES });
  }

  async reset() {
    const { run } = await this.#locked();
    await run('reset', { filter: ALL_TABLES });
    return null;
  }

  /** @param {any} input */
  async diff({ from, to, script, exitCode, shadowDatabaseUrl }) {
    const url = [from, to].map(urlOf).find(Boolean);
    const { run } = await this.#engine(url, shadowDatabaseUrl);
    const result = await run('diff', {
      from: await diffTarget(from, this.#schemas),
      to: await diffTarget(to, this.#schemas),
      script,
      exitCode: exitCode ?? null,
      shadowDatabaseUrl: null,
      filters: ALL_TABLES,
    });
    if (result.stdout !== null) await this.#print(result.stdout);
    return { exitCode: result.exitCode, stdout: null };
  }

  async close() {
    for (const open of this.#open.values()) await open.then(({ session }) => session.close(), () => {});
  }

  /**
   * @param {string} [url]
   * @param {string | null} [shadowUrl]
   */
  #engine(url = databaseUrl(this.#schemas, this.#env), shadowUrl = null) {
    if (!url) throw new KnownError('P1012', 'Environment variable not found: DATABASE_URL.');
    const open = this.#open.get(url) ?? openEngine(url, this.#schemas, shadowUrl);
    this.#open.set(url, open);
    return open;
  }

  async #locked() {
    const open = await this.#engine();
    await open.session.lock();
    return open;
  }
}

/** @param {{ migrationsDirectoryPath: string }} input */
const migrationsOf = ({ migrationsDirectoryPath }) => readMigrations(migrationsDirectoryPath);

/**
 * The URL in what the CLI calls a datasource, a datasource type or the target of a diff.
 * @param {any} source
 * @returns {string | undefined}
 */
function urlOf(source) {
  if (typeof source?.url === 'string') return source.url;
  if (!Array.isArray(source?.files) || source.tag === 'schemaDatamodel') return undefined;
  return databaseUrl(source.files.map((/** @type {any} */ file) => [file.path, file.content]), process.env);
}

/**
 * @param {any} target
 * @param {import('./datamodel.js').SchemaFile[]} schemas
 */
async function diffTarget(target, schemas) {
  if (target.tag === 'migrations') return { tag: 'migrations', ...(await readMigrations(target.path)) };
  if (target.tag !== 'url') return target;
  // The connection is the engine's own; "the schema's datasource" is its word for it.
  const files = (schemas.length > 0 ? schemas : [EMPTY_SCHEMA]).map(([path, content]) => ({ path, content }));
  return { tag: 'schemaDatasource', files, configDir: process.cwd() };
}

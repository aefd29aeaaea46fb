/** Prisma schema files, and the database URL they name. */
import { readFileSync } from 'node:fs';

/** @typedef {[path: string, content: string]} SchemaFile */

/** Enough for the engine when a command has no schema (`migrate diff --from-url …`). @type {SchemaFile} */
export const EMPTY_SCHEMA = ['schema.prisma', 'datasource db {\n  provider = "postgresql"\n  url = "postgresql://"\n}\n'];

/** @param {string[]} paths */
export const readSchemas = (paths) => paths.map((path) => /** @type {SchemaFile} */ ([path, readFileSync(path, 'utf8')]));

/**
 * The URL for migrations: `directUrl`, which bypasses a connection pooler, before `url`.
 * @param {SchemaFile[]} schemas
 * @param {NodeJS.ProcessEnv} env
 */
export function databaseUrl(schemas, env) {
  const text = schemas.map(([, content]) => content).join('\n');
  return property(text, 'directUrl', env) || property(text, 'url', env) || env.DATABASE_URL;
}

/**
 * @param {string} text
 * @param {string} name
 * @param {NodeJS.ProcessEnv} env
 */
function property(text, name, env) {
  const pattern = new RegExp(`^\\s*${name}\\s*=\\s*(?:env\\(\\s*"([^"]+)"\\s*\\)|"([^"]*)")`, 'm');
  const [, variable, literal] = pattern.exec(text) ?? [];
  return literal ?? (variable && env[variable]);
}

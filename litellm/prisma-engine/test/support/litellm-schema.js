/** LiteLLM's own Prisma schema, read so that records of every model can be made. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string} column
 * @property {string} type
 * @property {boolean} list
 * @property {boolean} optional
 * @property {boolean} id
 */
/** @typedef {{ fields: string[], references: string[], model: string }} Relation */
/**
 * @typedef {object} TestModel
 * @property {string} name
 * @property {string} table
 * @property {Field[]} scalars
 * @property {string[]} id names of the fields of the primary key
 * @property {Relation[]} relations those whose foreign key is here
 */

const LITELLM_SCHEMA = "import importlib.util as u, pathlib as p; print(p.Path(u.find_spec('litellm').origin).parent / 'proxy/schema.prisma')";

/** @returns {string | undefined} the path, from TEST_PRISMA_SCHEMA or from an installed litellm */
function findSchema() {
  if (process.env.TEST_PRISMA_SCHEMA) return process.env.TEST_PRISMA_SCHEMA;
  try {
    return execFileSync(process.env.TEST_PYTHON ?? 'python3', ['-c', LITELLM_SCHEMA], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return undefined;
  }
}

export const schemaPath = findSchema() ?? '';
export const noSchema = schemaPath ? false : 'LiteLLM is not installed for python3, and TEST_PRISMA_SCHEMA is not set';

const text = schemaPath ? readFileSync(schemaPath, 'utf8') : '';
/** @type {Map<string, string[]>} */
export const enums = new Map(
  [...text.matchAll(/^enum\s+(\w+)\s*\{([^}]*)\}/gm)].map(([, name, body]) => [name, body.match(/\w+/g) ?? []]),
);
const blocks = [...text.matchAll(/^model\s+(\w+)\s*\{(.*?)^\}/gms)];
const names = new Set(blocks.map(([, name]) => name));
/** @type {Map<string, TestModel>} */
export const models = new Map(blocks.map(([, name, body]) => [name, parseModel(name, body)]));

/**
 * @param {string} name
 * @param {string} body
 * @returns {TestModel}
 */
function parseModel(name, body) {
  const lines = body.split('\n').map((line) => line.replace(/\/\/.*/, '').trim());
  const fields = lines.flatMap((line) => parseField(line) ?? []);
  const compound = /@@id\(\[([^\]]+)\]/.exec(body)?.[1].split(',').map((part) => part.trim());
  return {
    name,
    table: /@@map\("([^"]+)"\)/.exec(body)?.[1] ?? name,
    scalars: fields.filter((field) => !names.has(field.type)),
    id: compound ?? fields.filter((field) => field.id).map((field) => field.name),
    relations: lines.flatMap((line) => parseRelation(line) ?? []),
  };
}

/**
 * @param {string} line
 * @returns {Field | undefined}
 */
function parseField(line) {
  const [, name, type, list, optional, rest] = /^(\w+)\s+(\w+)(\[\])?(\?)?(.*)$/.exec(line) ?? [];
  if (!name) return undefined;
  const column = /@map\("([^"]+)"\)/.exec(rest)?.[1] ?? name;
  return { name, column, type, list: Boolean(list), optional: Boolean(optional), id: /@id\b/.test(rest) };
}

/**
 * @param {string} line
 * @returns {Relation | undefined}
 */
function parseRelation(line) {
  const [, model, fields, references] =
    /^\w+\s+(\w+)\??\s.*@relation\(.*fields:\s*\[([^\]]+)\].*references:\s*\[([^\]]+)\]/.exec(line) ?? [];
  const list = (/** @type {string} */ names) => names.split(',').map((name) => name.trim());
  return model ? { model, fields: list(fields), references: list(references) } : undefined;
}

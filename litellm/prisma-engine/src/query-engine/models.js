/** What the translation needs to know of a Prisma schema: which fields are JSON, which lead elsewhere. */

/**
 * @typedef {object} Model
 * @property {Set<string>} json names of the JSON fields
 * @property {Map<string, string>} relations field → name of the other model
 * @property {Set<string>} fields names of all fields
 */
/** @typedef {Map<string, Model>} Models */

const MODEL = /^[ \t]*model\s+(\w+)\s*\{(.*?)^[ \t]*\}/gms;
/** `name Type`, `name Type?`, `name Type[]`; what follows (attributes, a comment) does not matter. */
const FIELD = /^[ \t]*(\w+)[ \t]+(\w+)/gm;

/**
 * @param {string} datamodel
 * @returns {Models}
 */
export function parseModels(datamodel) {
  const blocks = [...datamodel.matchAll(MODEL)];
  const names = new Set(blocks.map(([, name]) => name));
  return new Map(blocks.map(([, name, body]) => [name, parseModel(body, names)]));
}

/**
 * @param {string} body
 * @param {Set<string>} names of all models
 * @returns {Model}
 */
function parseModel(body, names) {
  const fields = [...body.matchAll(FIELD)].map(([, name, type]) => /** @type {const} */ ([name, type]));
  return {
    fields: new Set(fields.map(([name]) => name)),
    json: new Set(fields.filter(([, type]) => type === 'Json').map(([name]) => name)),
    relations: new Map(fields.filter(([, type]) => names.has(type))),
  };
}

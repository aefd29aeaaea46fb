/**
 * GraphQL, as prisma-client-py writes it, → the JSON protocol, which is all that the WebAssembly
 * build of the engine understands.
 * The native engine's reading of GraphQL: prisma-engines 5.17,
 * query-engine/request-handlers/src/protocols/graphql/protocol_adapter.rs
 *
 * The result is text rather than objects: GraphQL's numbers are written as JSON's are, so they pass
 * unchanged, where a JavaScript number would round a large integer.
 */
import { Kind, parse } from 'graphql/language/index.js';
import { KnownError } from '../postgres/error-registry.js';
import { Place } from './input-types.js';

/** @typedef {import('graphql').ValueNode} ValueNode */
/** @typedef {import('graphql').FieldNode} FieldNode */
/** @typedef {import('./models.js').Models} Models */
/**
 * One operation: its JSON text, and the name under which the client wants the answer.
 * @typedef {{ json: string, alias: string, raw: boolean }} Operation
 */

/** Names of operations are action, model and perhaps an ending: `findUniqueUserOrThrow`. */
const ACTIONS = [
  'findUnique', 'findFirst', 'findMany', 'aggregate', 'groupBy', 'createOne', 'createMany',
  'updateOne', 'updateMany', 'deleteOne', 'deleteMany', 'upsertOne',
];
const ENDINGS = ['', 'OrThrow', 'AndReturn'];
const RAW = ['queryRaw', 'executeRaw'];
/** Enum values that stand where JSON may: https://www.prisma.io/docs/orm/prisma-client/special-fields-and-types/working-with-json-fields#using-null-values */
const JSON_NULLS = new Set(['DbNull', 'JsonNull', 'AnyNull']);
const I64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

export class Translator {
  #models;

  /** @param {Models} models */
  constructor(models) {
    this.#models = models;
  }

  /**
   * @param {string} query a document with one operation; of several fields the last counts, as in the native engine
   * @returns {Operation}
   * @throws {KnownError} P2009, P2033
   */
  translate(query) {
    const fields = parseFields(query);
    const field = fields[fields.length - 1];
    const { action, model } = this.#operation(field.name.value);
    const modelPart = model === undefined ? '' : `"modelName":${JSON.stringify(model)},`;
    return {
      json: `{${modelPart}"action":"${action}","query":${this.#selectionText(field, model)}}`,
      alias: field.alias?.value ?? field.name.value,
      raw: model === undefined,
    };
  }

  /** @param {string} name */
  #operation(name) {
    if (RAW.includes(name)) return { action: name, model: undefined };
    for (const action of ACTIONS) {
      if (!name.startsWith(action)) continue;
      for (const ending of ENDINGS) {
        const model = name.slice(action.length, name.length - ending.length);
        if (name.endsWith(ending) && this.#models.has(model)) return { action: action + ending, model };
      }
    }
    throw invalid(`Operation '${name}' does not match any query.`);
  }

  /**
   * @param {FieldNode} field an operation, or a relation selected inside of one
   * @param {string | undefined} model undefined for raw queries
   * @returns {string}
   */
  #selectionText(field, model) {
    const place = new Place(model ? 'arguments' : 'other', this.#models, model ?? '');
    const args = (field.arguments ?? []).map(({ name, value }) => [name.value, valueText(value, place.at(name.value, value))]);
    const nested = fieldsOf(field.selectionSet).map((child) => [child.name.value, this.#selectedText(child, model)]);
    return `{"arguments":${objectText(args)},"selection":${objectText(nested)}}`;
  }

  /**
   * @param {FieldNode} field
   * @param {string | undefined} parent
   */
  #selectedText(field, parent) {
    if (!field.selectionSet && !field.arguments?.length) return 'true';
    const name = field.name.value;
    return this.#selectionText(field, this.#models.get(parent ?? '')?.relations.get(name) ?? parent);
  }
}

/** @param {string} query */
function parseFields(query) {
  let document;
  try {
    document = parse(query, { noLocation: true });
  } catch (error) {
    throw invalid(`Error parsing GraphQL query: ${/** @type {Error} */ (error).message}`);
  }
  const fields = document.definitions.flatMap((definition) => {
    if (definition.kind === Kind.OPERATION_DEFINITION) return fieldsOf(definition.selectionSet);
    throw invalid(`Unsupported feature: ${definition.kind}.`);
  });
  if (fields.length === 0) throw invalid('Document contained no operations.');
  return fields;
}

/**
 * @param {import('graphql').SelectionSetNode | undefined} set
 * @returns {FieldNode[]}
 */
function fieldsOf(set) {
  return (set?.selections ?? []).map((selection) => {
    if (selection.kind === Kind.FIELD) return selection;
    throw invalid(`Unsupported feature: ${selection.kind}.`);
  });
}

/** @param {string[][]} entries */
const objectText = (entries) => `{${entries.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join()}}`;

/**
 * @param {ValueNode} value
 * @param {Place} place
 * @returns {string}
 */
function valueText(value, place) {
  switch (value.kind) {
    case Kind.STRING:
      return stringText(value.value, place);
    case Kind.INT:
      return integerText(value.value);
    case Kind.FLOAT:
      return value.value;
    case Kind.BOOLEAN:
      return String(value.value);
    case Kind.NULL:
      return 'null';
    case Kind.ENUM:
      return tagged('Enum', value.value);
    case Kind.LIST:
      return `[${value.values.map((item) => valueText(item, place)).join()}]`;
    case Kind.OBJECT:
      return objectText(value.fields.map(({ name, value: v }) => [name.value, valueText(v, place.at(name.value, v))]));
    default:
      throw invalid(`Unsupported feature: ${value.kind}.`);
  }
}

/**
 * @param {string} text
 * @param {Place} place
 */
function stringText(text, place) {
  return place.kind === 'json' && !JSON_NULLS.has(text) ? tagged('Json', text) : JSON.stringify(text);
}

/**
 * @param {string} type
 * @param {string} value
 */
const tagged = (type, value) => `{"$type":"${type}","value":${JSON.stringify(value)}}`;

/** @param {string} text */
function integerText(text) {
  const value = text.length > 15 ? BigInt(text) : 0n;
  if (value >= I64.min && value <= I64.max) return text;
  throw new KnownError(
    'P2033',
    'A number used in the query does not fit into a 64 bit signed integer. Consider using `BigInt` as ' +
      "field type if you're trying to store large integers.",
    { details: text },
  );
}

/** @param {string} message */
const invalid = (message) => new KnownError('P2009', message, { query_validation_error: message });

/** The WebAssembly schema engine, bound to one connection. */
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import { parseConnectionUrl } from '../postgres/connection-url.js';
import { loadWasmEngine } from '../wasm.js';
import { SessionAdapterFactory } from './adapter.js';
import { EMPTY_SCHEMA } from './datamodel.js';
import { originalError } from './errors.js';
import { log } from './log.js';
import { Session } from './session.js';

/** @typedef {import('./datamodel.js').SchemaFile} SchemaFile */
/**
 * A method of the engine; inputs and results are those of schema_engine.d.ts in its package.
 * @typedef {(method: string, input: unknown) => Promise<any>} Run
 */
/** @typedef {{ run: Run, session: Session }} OpenEngine */

const GLUE = '@prisma/schema-engine-wasm/schema_engine_bg';

/**
 * @param {string} url
 * @param {SchemaFile[]} schemas
 * @param {string | null} [shadowUrl]
 * @returns {Promise<OpenEngine>}
 */
export async function openEngine(url, schemas, shadowUrl) {
  const session = new Session(parseConnectionUrl(url));
  const adapters = new SessionAdapterFactory(session, shadowUrl ? parseConnectionUrl(shadowUrl) : undefined);
  const factory = bindMigrationAwareSqlAdapterFactory(adapters);
  /** @param {unknown} error */
  const fail = (error) => {
    throw originalError(error, factory.errorRegistry);
  };
  const glue = await load();
  const datamodels = schemas.length > 0 ? schemas : [EMPTY_SCHEMA];
  const engine = await glue.SchemaEngine.new({ datamodels }, () => {}, factory).catch(fail);
  return { session, run: (method, input) => engine[method](input).catch(fail) };
}

async function load() {
  Object.assign(globalThis, {
    PRISMA_WASM_PANIC_REGISTRY: { set_message: (/** @type {string} */ text) => log('ERROR', `panic: ${text}`) },
  });
  return loadWasmEngine(GLUE);
}

/** JSON-RPC, one message a line, on standard input and output. */
import { createInterface } from 'node:readline';
import { rpcError } from './errors.js';
import { Methods } from './methods.js';

let printed = 0;

/**
 * Serves until the CLI closes the input.
 * @param {string[]} schemaPaths
 */
export async function serve(schemaPaths) {
  const methods = new Methods(schemaPaths, process.env, print);
  // One at a time, as the CLI asks anyway: all share one connection.
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== '') await handle(methods, JSON.parse(line));
  }
  await methods.close();
}

/**
 * @param {Methods} methods
 * @param {{ id: number, method?: string, params?: any }} request an answer to `print` has no method
 */
async function handle(methods, { id, method, params }) {
  if (method === undefined) return;
  try {
    const result = await call(methods, method, params);
    await send({ jsonrpc: '2.0', id, result: result ?? null });
  } catch (error) {
    await send({ jsonrpc: '2.0', id, error: rpcError(error) });
  }
}

/**
 * @param {Methods} methods
 * @param {string} name
 * @param {any} params
 */
function call(methods, name, params) {
  const method = Object.hasOwn(Methods.prototype, name) && name !== 'constructor' && name !== 'close'
    ? /** @type {any} */ (methods)[name]
    : undefined;
  if (!method) throw new Error(`the schema engine on WebAssembly does not offer ${name}: use Prisma's native engine for it`);
  return method.call(methods, params ?? {});
}

/** @param {string} content */
const print = (content) => send({ jsonrpc: '2.0', method: 'print', params: { content }, id: ++printed });

/**
 * @param {unknown} message
 * @returns {Promise<void>} once it is out, since the process may end right after
 */
const send = (message) => new Promise((resolve) => { process.stdout.write(`${JSON.stringify(message)}\n`, () => resolve()); });

/** Starts bin/query-engine as prisma-client-py does, and speaks to it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const BINARY = fileURLToPath(new URL('../../bin/query-engine', import.meta.url));
const START_MS = 10_000;

/**
 * @param {string} url
 * @param {string} schemaPath
 */
export async function startEngine(url, schemaPath) {
  const port = await freePort();
  const child = spawn(BINARY, ['-p', String(port), '--enable-metrics', '--enable-raw-queries'], {
    env: { ...process.env, PRISMA_DML_PATH: schemaPath, DATABASE_URL: url },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
  const engine = new TestEngine(port, child, () => stderr);
  await until(() => engine.get('/status').then(() => true, () => false), START_MS, () => `no engine: ${stderr}`);
  return engine;
}

export class TestEngine {
  /**
   * @param {number} port
   * @param {import('node:child_process').ChildProcess} child
   * @param {() => string} stderr
   */
  constructor(port, child, stderr) {
    this.port = port;
    this.child = child;
    this.stderr = stderr;
  }

  /**
   * @param {string} path
   * @returns {Promise<any>}
   */
  async get(path) {
    return (await fetch(`http://127.0.0.1:${this.port}${path}`)).json();
  }

  /**
   * @param {string} path
   * @param {unknown} body
   * @param {string} [txId]
   * @returns {Promise<{ status: number, body: any }>}
   */
  async post(path, body, txId) {
    const headers = txId ? { 'X-transaction-id': txId } : undefined;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, { method: 'POST', body: text, headers });
    return { status: response.status, body: await response.json() };
  }

  /**
   * The result of a query, or an Error with the engine's `code` and `meta`.
   * @param {string} text GraphQL with the alias `result`
   * @param {string} [txId]
   * @returns {Promise<any>}
   */
  async query(text, txId) {
    const { body } = await this.post('/', { query: text, variables: {} }, txId);
    if (body.errors) throw toError(body.errors[0]);
    return body.data.result;
  }

  /**
   * @param {string} sql
   * @param {unknown[]} [parameters]
   * @param {string} [txId]
   */
  queryRaw(sql, parameters = [], txId) {
    return this.query(rawQuery('queryRaw', sql, parameters), txId);
  }

  /** @param {{ timeout?: number, max_wait?: number }} [options] */
  async startTransaction({ timeout = 5000, max_wait: maxWait = 2000 } = {}) {
    return this.post('/transaction/start', { timeout, max_wait: maxWait });
  }

  /**
   * @param {string[]} queries
   * @param {boolean} transaction
   */
  async batch(queries, transaction) {
    return (await this.post('/', { batch: queries.map((query) => ({ query, variables: {} })), transaction })).body;
  }

  /** @param {NodeJS.Signals} [signal] */
  async stop(signal = 'SIGINT') {
    if (this.child.exitCode !== null) return this.child.exitCode;
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    return (await exit)[0];
  }
}

/**
 * @param {'queryRaw' | 'executeRaw'} operation
 * @param {string} sql
 * @param {unknown[]} [parameters]
 */
export const rawQuery = (operation, sql, parameters = []) =>
  `mutation { result: ${operation}(query: ${JSON.stringify(sql)}, parameters: ${JSON.stringify(JSON.stringify(parameters))}) }`;

/** @param {any} error */
function toError({ error, user_facing_error: { message, error_code: code, meta, is_panic: isPanic } }) {
  return Object.assign(new Error(message), { code, meta, isPanic, error });
}

/**
 * Asks again and again until it is so.
 * @param {() => Promise<boolean> | boolean} isSo
 * @param {number} timeoutMs
 * @param {() => string} complaint
 */
export async function until(isSo, timeoutMs, complaint) {
  const end = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(complaint());
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

/** @returns {Promise<number>} */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  return port;
}

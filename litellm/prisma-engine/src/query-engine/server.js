/** HTTP around the routes. */
import http from 'node:http';
import { log } from './log.js';

/** @typedef {import('./routes.js').Routes} Routes */

/**
 * @param {Routes} routes
 * @param {{ host: string, port: number }} address
 * @returns {Promise<http.Server>} once it listens
 */
export async function listen(routes, { host, port }) {
  const server = http.createServer((request, response) => {
    answer(routes, request, response).catch((error) => {
      log('ERROR', `request failed: ${error.message}`);
      response.destroy();
    });
  });
  // The client keeps connections for reuse. Were the engine the first to close one, a request just
  // then on its way would be lost. The native engine (hyper) closes none either.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(undefined));
  });
  return server;
}

/**
 * @param {Routes} routes
 * @param {http.IncomingMessage} request
 * @param {http.ServerResponse} response
 */
async function answer(routes, request, response) {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://engine');
  const txId = request.headers['x-transaction-id'];
  const { status, body } = await routes.handle({
    method: request.method ?? 'GET',
    path: pathname,
    query: searchParams,
    txId: Array.isArray(txId) ? txId[0] : txId,
    body: await readBody(request),
  });
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, {
    'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** @param {http.IncomingMessage} request */
async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

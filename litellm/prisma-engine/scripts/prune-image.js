/**
 * Usage: node scripts/prune-image.js
 *
 * Removes from node_modules what is never read at run time, for an image. `npm ci` brings it back.
 */
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MODULES = fileURLToPath(new URL('../node_modules', import.meta.url));

/** Folders, each with the reason why nobody misses it. */
const FOLDERS = [
  // The engine comes for five databases.
  '@prisma/query-engine-wasm/cockroachdb',
  '@prisma/query-engine-wasm/mysql',
  '@prisma/query-engine-wasm/sqlite',
  '@prisma/query-engine-wasm/sqlserver',
  // Prisma Studio's web page, and the client for JavaScript.
  'prisma/build/public',
  'prisma/prisma-client',
  // Only GraphQL's parser is used: language, with jsutils and error.
  'graphql/execution',
  'graphql/subscription',
  'graphql/type',
  'graphql/utilities',
  'graphql/validation',
];

/** Types, source maps, and GraphQL's second copy as ES modules, which its package.json does not lead Node to. */
const FILES = [/\.d\.(ts|mts|cts)$/, /\.map$/, /^graphql\/.*\.mjs$/];

let freed = 0;
for (const folder of FOLDERS) await remove(path.join(NODE_MODULES, folder));
for (const file of await readdir(NODE_MODULES, { recursive: true })) {
  if (FILES.some((pattern) => pattern.test(file))) await remove(path.join(NODE_MODULES, file));
}
console.log(`removed ${(freed / 1e6).toFixed(1)} MB from node_modules`);

/** @param {string} target */
async function remove(target) {
  freed += await size(target);
  await rm(target, { recursive: true, force: true });
}

/**
 * @param {string} target
 * @returns {Promise<number>}
 */
async function size(target) {
  const entry = await stat(target).catch(() => undefined);
  if (!entry?.isDirectory()) return entry?.size ?? 0;
  const sizes = await Promise.all((await readdir(target)).map((name) => size(path.join(target, name))));
  return sizes.reduce((sum, one) => sum + one, 0);
}

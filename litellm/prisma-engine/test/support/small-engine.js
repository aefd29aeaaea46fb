/** An engine on a new database with the tables of fixtures/small.prisma. */
import { fileURLToPath } from 'node:url';
import { createDatabase, withParams } from './database.js';
import { startEngine } from './engine.js';

export const smallSchema = fileURLToPath(new URL('../fixtures/small.prisma', import.meta.url));

const TABLES = `
  CREATE TABLE "Parent" (id int PRIMARY KEY, name text NOT NULL UNIQUE, note text NOT NULL);
  CREATE TABLE "Child" (id int PRIMARY KEY, "parentId" int NOT NULL REFERENCES "Parent" (id));`;

/** @param {Record<string, string | number>} [params] of the connection URL */
export async function smallEngine(params = {}) {
  const db = await createDatabase();
  await db.sql(TABLES);
  const engine = await startEngine(withParams(db.url, params), smallSchema);
  return {
    db,
    engine,
    close: async () => {
      await engine.stop('SIGKILL');
      await db.drop();
    },
  };
}

/**
 * @param {number} id
 * @param {string} [name]
 */
export const createParent = (id, name = `parent ${id}`) =>
  `mutation { result: createOneParent(data: {id: ${id}, name: ${JSON.stringify(name)}, note: ""}) { id } }`;

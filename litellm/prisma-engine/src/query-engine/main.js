/** Starts the query engine: where a reader starts too. */
import { ConnectionUrlError } from '../postgres/connection-url.js';
import { Engine } from './engine.js';
import { Translator } from './graphql.js';
import { endWithDignity, surviveSurprises } from './lifetime.js';
import { log } from './log.js';
import { parseModels } from './models.js';
import { Routes } from './routes.js';
import { listen } from './server.js';
import { parseCommandLine, readSettings, SettingsError } from './settings.js';

/** The engine commit that prisma-client-py 0.15.0 wants (prisma/_config.py, `expected_engine_version`). */
const STANDS_FOR = '393aa359c9ad4a4bb28630fb5613f9c281cde053';

/** @param {string[]} args */
export async function main(args) {
  const values = parseCommandLine(args);
  if (values.version) {
    process.stdout.write(`query-engine ${STANDS_FOR}\n`);
    return;
  }
  try {
    await serve(values);
  } catch (error) {
    log('ERROR', /** @type {Error} */ (error).message);
    process.exitCode = error instanceof SettingsError || error instanceof ConnectionUrlError ? 2 : 1;
  }
}

/** @param {ReturnType<typeof parseCommandLine>} values */
async function serve(values) {
  const settings = readSettings(values, process.env);
  const engine = new Engine(settings);
  surviveSurprises((message) => engine.panicked(message));
  const server = await listen(new Routes(engine, new Translator(parseModels(settings.datamodel)), settings), settings);
  endWithDignity(server, engine);
  await engine.load();
}

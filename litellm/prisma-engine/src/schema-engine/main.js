/** Starts the schema engine: where a reader starts too. */
import { runCliCommand } from './cli-commands.js';
import { parseCommandLine } from './command-line.js';
import { log } from './log.js';
import { serve } from './rpc.js';

/** The engine commit of Prisma 5.17.0. */
const STANDS_FOR = '393aa359c9ad4a4bb28630fb5613f9c281cde053';

/**
 * @param {string[]} args
 * @returns {Promise<number>} exit code
 */
export async function main(args) {
  const { version, cliCommand, datasourceUrl, schemaPaths } = parseCommandLine(args);
  if (version) {
    process.stdout.write(`schema-engine-cli ${STANDS_FOR}\n`);
    return 0;
  }
  if (cliCommand) return runCliCommand(cliCommand, datasourceUrl ?? process.env.DATABASE_URL ?? '');
  log('INFO', 'Starting schema engine RPC server');
  await serve(schemaPaths);
  return 0;
}

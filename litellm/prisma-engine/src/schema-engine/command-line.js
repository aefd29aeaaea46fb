/**
 * How the Prisma CLI 5.17 starts its schema engine:
 *   schema-engine -d SCHEMA [-d SCHEMA …]                 JSON-RPC on standard input and output
 *   schema-engine cli --datasource URL COMMAND            can-connect-to-database, create-database
 *   schema-engine --version
 */

/**
 * @typedef {object} CommandLine
 * @property {boolean} version
 * @property {string | undefined} cliCommand
 * @property {string | undefined} datasourceUrl
 * @property {string[]} schemaPaths
 */

/**
 * @param {string[]} args
 * @returns {CommandLine}
 */
export function parseCommandLine(args) {
  const isCli = args.includes('cli');
  return {
    version: args.includes('--version') || args.includes('-V'),
    cliCommand: isCli ? args.at(-1) : undefined,
    datasourceUrl: valuesOf(args, ['--datasource'])[0],
    schemaPaths: isCli ? [] : valuesOf(args, ['-d', '--datamodel', '--datamodels']),
  };
}

/**
 * @param {string[]} args
 * @param {string[]} names
 */
const valuesOf = (args, names) => args.flatMap((arg, i) => (names.includes(arg) && i + 1 < args.length ? [args[i + 1]] : []));

/** Query arguments of Prisma's engines, as node-postgres takes them. */

/** @typedef {import('@prisma/driver-adapter-utils').ArgType} ArgType */

/**
 * Dates stay text, as the engine wrote them (RFC 3339, UTC): Postgres reads them for date, time,
 * timestamp and timestamptz alike, to the microsecond. A JavaScript Date would cut them to
 * milliseconds.
 *
 * @param {unknown[]} args
 * @param {ArgType[]} types
 */
export const toDriverArguments = (args, types) => args.map((arg, i) => toDriverArgument(arg, types[i]));

/**
 * @param {unknown} arg
 * @param {ArgType | undefined} type
 * @returns {unknown}
 */
function toDriverArgument(arg, type) {
  if (Array.isArray(arg) && type?.arity === 'list') {
    const item = /** @type {ArgType} */ ({ ...type, arity: 'scalar' });
    return arg.map((value) => toDriverArgument(value, item));
  }
  if (type?.scalarType === 'bytes') return toBuffer(arg);
  return arg;
}

/** @param {unknown} arg */
function toBuffer(arg) {
  if (typeof arg === 'string') return Buffer.from(arg, 'base64');
  if (Array.isArray(arg)) return Buffer.from(arg);
  if (arg instanceof Uint8Array) return Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength);
  return arg;
}

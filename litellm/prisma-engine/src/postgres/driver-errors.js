/**
 * What Postgres says of a query, as the error kinds that Prisma's engines turn into P-codes.
 * SQLSTATEs: https://www.postgresql.org/docs/17/errcodes-appendix.html
 */
import { DriverAdapterError } from '@prisma/driver-adapter-utils';
import { breaksConnection, connectionError, poolTimeout } from './connection-errors.js';
import { KnownError } from './error-registry.js';
import { GateTimeout } from './gate.js';

/** @typedef {import('./connection-url.js').ConnectionOptions} ConnectionOptions */
/** @typedef {import('@prisma/driver-adapter-utils').MappedError} MappedError */
/**
 * The properties that matter of pg's DatabaseError and of Node's system errors.
 * @typedef {Error & { code?: string, severity?: string, detail?: string, column?: string,
 *   constraint?: string, hint?: string, position?: string, syscall?: string, errors?: DriverError[] }} DriverError
 */

/**
 * @param {unknown} error
 * @param {ConnectionOptions} options
 * @returns {Error} a DriverAdapterError where the engine knows a kind, else a KnownError
 */
export function toAdapterError(error, options) {
  if (error instanceof KnownError || error instanceof DriverAdapterError) return error;
  if (error instanceof GateTimeout) return poolTimeout(options);
  const driverError = /** @type {DriverError} */ (error);
  if (breaksConnection(error)) return connectionError(driverError, options);
  // With the original code the engine answers P2010 to a raw query, whatever the kind.
  return new DriverAdapterError({
    originalCode: driverError.code,
    originalMessage: driverError.message,
    ...databaseError(driverError, options),
  });
}

/**
 * For scripts: what Postgres said in full, where the kinds keep parts of it only.
 * @param {unknown} error
 * @param {ConnectionOptions} options
 * @returns {Error}
 */
export function toScriptError(error, options) {
  if (error instanceof KnownError || breaksConnection(error)) return toAdapterError(error, options);
  return new DriverAdapterError(generalError(/** @type {DriverError} */ (error)));
}

/**
 * What the server said of one query.
 * @param {DriverError} error
 * @param {ConnectionOptions} options
 * @returns {MappedError}
 */
function databaseError(error, { database }) {
  switch (error.code) {
    case '22001': return { kind: 'LengthMismatch', column: error.column };
    case '22003': return { kind: 'ValueOutOfRange', cause: error.message };
    case '23502': return { kind: 'NullConstraintViolation', constraint: error.column ? { fields: [error.column] } : undefined };
    case '23503': return { kind: 'ForeignKeyConstraintViolation', constraint: error.constraint ? { index: error.constraint } : undefined };
    case '23505': return { kind: 'UniqueConstraintViolation', constraint: uniqueConstraint(error) };
    case '42P04': return { kind: 'DatabaseAlreadyExists', db: database };
    case '40001':
    case '40P01': return { kind: 'TransactionWriteConflict' };
    case '42P01': return { kind: 'TableDoesNotExist', table: quoted(error.message) };
    case '42703': return { kind: 'ColumnNotFound', column: quoted(error.message) };
    default: return generalError(error);
  }
}

/**
 * @param {DriverError} error
 * @returns {MappedError}
 */
const generalError = ({ code = '', severity = 'ERROR', message, detail, column, hint }) => ({
  kind: 'postgres', code, severity, message, detail, column, hint,
});

/**
 * The columns, from `Key (a, b)=(1, 2) already exists.`; in another language of messages, the name.
 * @param {DriverError} error
 */
function uniqueConstraint({ detail, constraint }) {
  const columns = /\((.*)\)=\(/.exec(detail ?? '')?.[1];
  if (columns) return { fields: columns.replaceAll('"', '').split(', ') };
  return constraint ? { index: constraint } : undefined;
}

/** @param {string} message */
const quoted = (message) => /"([^"]*)"/.exec(message)?.[1] ?? /column (\S+) /.exec(message)?.[1];

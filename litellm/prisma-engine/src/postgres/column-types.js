/**
 * Postgres' types by OID: the type that Prisma knows for it, and how its text is read. What is not
 * in the table is asked for once (see type-lookup.js) and read as text or as an array of text.
 * OIDs: https://github.com/postgres/postgres/blob/REL_17_STABLE/src/include/catalog/pg_type.dat
 */
import { ColumnTypeEnum } from '@prisma/driver-adapter-utils';
import { parse as parseArray } from 'postgres-array';
import { bool, bytes, money, timestamp, timestamptz, timetz } from './values.js';

/**
 * @typedef {object} ColumnType
 * @property {import('@prisma/driver-adapter-utils').ColumnType} prisma
 * @property {(text: string) => unknown} read
 */

/** @param {string} text */
const asIs = (text) => text;
const T = ColumnTypeEnum;

/** @type {ColumnType} */
export const TEXT = { prisma: T.Text, read: asIs };
/** @type {ColumnType} */
export const TEXT_ARRAY = { prisma: T.TextArray, read: (text) => parseArray(text, asIs) };

/**
 * OID, OID of its array, Prisma's type, Prisma's type of the array, reader.
 * @type {Array<[number, number, ColumnType['prisma'], ColumnType['prisma'], (text: string) => unknown]>}
 */
const SCALARS = [
  [16, 1000, T.Boolean, T.BooleanArray, bool],
  [17, 1001, T.Bytes, T.BytesArray, bytes],
  [18, 1002, T.Character, T.CharacterArray, asIs], // "char"
  [19, 1003, T.Text, T.TextArray, asIs], // name
  [20, 1016, T.Int64, T.Int64Array, asIs], // int8
  [21, 1005, T.Int32, T.Int32Array, Number], // int2
  [23, 1007, T.Int32, T.Int32Array, Number], // int4
  [25, 1009, T.Text, T.TextArray, asIs],
  [26, 1028, T.Int64, T.Int64Array, asIs], // oid
  [114, 199, T.Json, T.JsonArray, asIs],
  [142, 143, T.Text, T.TextArray, asIs], // xml
  [650, 651, T.Text, T.TextArray, asIs], // cidr
  [700, 1021, T.Float, T.FloatArray, Number],
  [701, 1022, T.Double, T.DoubleArray, Number],
  [790, 791, T.Numeric, T.NumericArray, money],
  [869, 1041, T.Text, T.TextArray, asIs], // inet
  [1042, 1014, T.Text, T.TextArray, asIs], // char(n)
  [1043, 1015, T.Text, T.TextArray, asIs], // varchar
  [1082, 1182, T.Date, T.DateArray, asIs],
  [1083, 1183, T.Time, T.TimeArray, asIs],
  [1114, 1115, T.DateTime, T.DateTimeArray, timestamp],
  [1184, 1185, T.DateTime, T.DateTimeArray, timestamptz],
  [1186, 1187, T.Text, T.TextArray, asIs], // interval
  [1266, 1270, T.Time, T.TimeArray, timetz],
  [1560, 1561, T.Text, T.TextArray, asIs], // bit
  [1562, 1563, T.Text, T.TextArray, asIs], // varbit
  [1700, 1231, T.Numeric, T.NumericArray, asIs],
  [2205, 2210, T.Text, T.TextArray, asIs], // regclass
  [2950, 2951, T.Uuid, T.UuidArray, asIs],
  [3802, 3807, T.Json, T.JsonArray, asIs], // jsonb
];

/** @type {Map<number, ColumnType>} */
export const COLUMN_TYPES = new Map(
  SCALARS.flatMap(([oid, arrayOid, prisma, prismaArray, read]) => [
    [oid, { prisma, read }],
    [arrayOid, { prisma: prismaArray, read: (/** @type {string} */ text) => parseArray(text, read) }],
  ]),
);

/** Text of Postgres' values → what Prisma's engines read. */

/**
 * `2024-05-01 10:00:00.123456+02` → `2024-05-01T08:00:00.123456+00:00`. The offset is that of the
 * session's time zone, which is the server's or the role's own choice, and has minutes or even
 * seconds for some places and times.
 * @param {string} text
 */
export function timestamptz(text) {
  const match = /^(\S+) (\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d)(?::(\d\d))?(?::(\d\d))?$/.exec(text);
  if (!match) return text;
  const [, day, time, fraction = '', hours = '', minutes = '0', seconds = '0'] = match;
  if (hours === '+00' && minutes === '0') return `${day}T${time}${fraction}+00:00`;
  const sign = hours.startsWith('-') ? -1 : 1;
  const offset = sign * (Math.abs(Number(hours)) * 3600 + Number(minutes) * 60 + Number(seconds));
  const utc = new Date(Date.parse(`${day}T${time}Z`) - offset * 1000);
  return `${utc.toISOString().slice(0, 19)}${fraction}+00:00`;
}

/**
 * Without a time zone Prisma takes it for UTC.
 * @param {string} text
 */
export const timestamp = (text) => `${text.replace(' ', 'T')}+00:00`;

/**
 * Prisma's time has no zone: the offset goes, as in the native engine.
 * @param {string} text
 */
export const timetz = (text) => text.replace(/[+-]\d\d(:\d\d){0,2}$/, '');

/**
 * `-$1,234.56`; the currency sign is the server's.
 * @param {string} text
 */
export const money = (text) => text.replace(/[^\d.-]/g, '');

/** @param {string} text `\x…` */
export const bytes = (text) => Array.from(Buffer.from(text.slice(2), 'hex'));

/** @param {string} text */
export const bool = (text) => text === 't';

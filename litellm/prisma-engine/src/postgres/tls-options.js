/**
 * TLS parameters of a connection URL. Prisma's own names and meanings come first; libpq's
 * `sslrootcert`, `sslkey` and `verify-*` are taken too, since hosted databases hand them out.
 */
import { readFileSync } from 'node:fs';

/**
 * @typedef {object} TlsChoice
 * @property {'disable' | 'prefer' | 'require'} mode
 * @property {import('node:tls').ConnectionOptions} options
 */

/**
 * | parameter | meaning |
 * |---|---|
 * | sslmode | disable, prefer (default), require; verify-ca, verify-full as in libpq |
 * | sslaccept | accept_invalid_certs (Prisma's default) or strict |
 * | sslcert | certificate authority (Prisma), or with sslkey the client's certificate (libpq) |
 * | sslrootcert | certificate authority (libpq) |
 * | sslkey | key of the client's certificate |
 * | sslidentity, sslpassword | client certificate and key as PKCS 12 |
 * | sslservername | the name that the certificate has to have, where the host is a relay's (ours) |
 *
 * @param {URLSearchParams} params
 * @returns {TlsChoice}
 */
export function tlsOptions(params) {
  const sslmode = params.get('sslmode') ?? 'prefer';
  if (sslmode === 'disable') return { mode: 'disable', options: {} };

  const verified = params.get('sslaccept') === 'strict' || sslmode.startsWith('verify-');
  /** @type {import('node:tls').ConnectionOptions} */
  const options = { rejectUnauthorized: verified };
  const key = params.get('sslkey');
  const authority = params.get('sslrootcert') ?? (key ? null : params.get('sslcert'));
  // libpq's word for "the system's own authorities", which is what Node uses when told nothing.
  if (authority && authority !== 'system') options.ca = read(authority);
  if (key) {
    options.key = read(key);
    options.cert = read(params.get('sslcert') ?? '');
  }
  const identity = params.get('sslidentity');
  if (identity) {
    options.pfx = read(identity);
    options.passphrase = params.get('sslpassword') ?? '';
  }
  const servername = params.get('sslservername');
  if (servername) options.servername = servername;
  if (sslmode === 'verify-ca') options.checkServerIdentity = () => undefined;
  return { mode: sslmode === 'prefer' || sslmode === 'allow' ? 'prefer' : 'require', options };
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`a TLS file named in the database URL cannot be read: ${/** @type {Error} */ (error).message}`);
  }
}

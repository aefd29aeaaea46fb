/** What node-postgres is given for one connection. */

/** @typedef {import('./connection-url.js').ConnectionOptions} ConnectionOptions */

/**
 * @param {ConnectionOptions} options
 * @returns {import('pg').ClientConfig}
 */
export function clientConfig(options) {
  return {
    host: options.host,
    port: options.port,
    user: options.user,
    password: options.password,
    database: options.database,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs,
    query_timeout: options.socketTimeoutMs || undefined,
    // A peer that vanished without a FIN (a stopped container, a dropped NAT entry) is noticed.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ssl: options.tls.mode === 'disable' ? false : options.tls.options,
    // PgBouncer refuses `options` at start; sessionStatements says the same things later.
    options: options.pgbouncer ? undefined : startupOptions(options),
  };
}

/**
 * Run once on every new connection.
 * @param {ConnectionOptions} options
 */
export function sessionStatements(options) {
  if (!options.pgbouncer) return [];
  return [`SET search_path = "${options.schema.replaceAll('"', '""')}"`, 'SET datestyle = ISO'];
}

/**
 * Values arrive as text, so their format must not hang on what the role or the server prefers.
 * @param {ConnectionOptions} options
 */
function startupOptions({ schema, startupOptions: own }) {
  const searchPath = `"${schema.replaceAll('"', '""')}"`.replace(/[\\ ]/g, '\\$&');
  return `-c datestyle=ISO -c search_path=${searchPath} ${own}`.trimEnd();
}

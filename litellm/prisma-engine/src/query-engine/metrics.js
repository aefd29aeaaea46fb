/** Prisma's pool metrics: https://www.prisma.io/docs/orm/prisma-client/observability-and-logging/metrics */

/** @typedef {{ open: number, busy: number, waiting: number }} PoolStats */

/**
 * @param {PoolStats} stats
 * @param {string | null} format `json` or `prometheus`
 * @returns {unknown} text is sent as it is
 */
export function poolMetrics({ open, busy, waiting }, format) {
  const gauges = [
    { key: 'prisma_pool_connections_open', value: open, description: 'Number of currently open pool connections' },
    { key: 'prisma_pool_connections_busy', value: busy, description: 'Number of pool connections in use' },
    { key: 'prisma_pool_connections_idle', value: Math.max(0, open - busy), description: 'Number of idle pool connections' },
    { key: 'prisma_client_queries_wait', value: waiting, description: 'Number of queries waiting for a connection' },
  ];
  if (format === 'prometheus') {
    return gauges
      .map(({ key, value, description }) => `# HELP ${key} ${description}\n# TYPE ${key} gauge\n${key} ${value}\n`)
      .join('');
  }
  return { counters: [], gauges: gauges.map((gauge) => ({ ...gauge, labels: {} })), histograms: [] };
}

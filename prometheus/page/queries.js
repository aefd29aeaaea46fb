// What Prometheus is asked for a panel of dashboard.json, and what it answered.

/**
 * @typedef {{ expr: string, legendFormat?: string, instant?: boolean }} Target
 * @typedef {{ color: string, value: number | null }} Step
 * @typedef {{ options: Record<string, { text: string, color: string }> }} Mapping
 * @typedef {{ unit?: string, decimals?: number, noValue?: string, mappings?: Mapping[],
 *   thresholds?: { steps: Step[] }, custom?: { stacking?: { mode: string } } }} Defaults
 * @typedef {{ id: number, type: string, title: string, description: string, targets: Target[],
 *   gridPos: { w: number }, fieldConfig: { defaults: Defaults } }} Panel
 * @typedef {{ name: string, points: [number, number][] }} Series
 */

/** Seconds between two measurements, see prometheus.yml. */
export const SCRAPE = 15;
const POINTS = 120;

/**
 * @param {number} range seconds
 * @returns {number} seconds between two points of a chart
 */
export const stepOf = (range) => Math.max(SCRAPE, Math.ceil(range / POINTS / SCRAPE) * SCRAPE);

/**
 * @param {string} expr with Grafana's variables
 * @param {number} range seconds
 * @returns {string} PromQL; a rate looks at four measurements or more, as in Grafana
 */
export function withVariables(expr, range) {
  const rate = Math.max(4 * SCRAPE, stepOf(range) + SCRAPE);
  return expr.replaceAll("$__rate_interval", `${rate}s`).replaceAll("$__range", `${range}s`);
}

/**
 * @param {string} format with {{label}}
 * @param {Record<string, string>} labels
 * @returns {string} the name of a series; all its labels where there is no format
 */
export function nameOf(format, labels) {
  if (format) return format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? "");
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`).join(" ");
}

/**
 * @param {string} path
 * @param {Record<string, string>} parameters
 * @returns {Promise<any>} the data that Prometheus answers
 */
export async function ask(path, parameters = {}) {
  const answer = await fetch(`../api/v1/${path}?${new URLSearchParams(parameters)}`, {
    signal: AbortSignal.timeout(20_000),
  });
  const body = await answer.json();
  if (body.status !== "success") throw new Error(body.error ?? `HTTP ${answer.status}`);
  return body.data;
}

/**
 * @param {Panel} panel
 * @param {number} range seconds
 * @param {number} now seconds since 1970
 * @returns {Promise<Series[]>} those that have a value at all
 */
export async function seriesOf(panel, range, now) {
  const found = await Promise.all(panel.targets.map((target) => ofTarget(target, range, now)));
  return found.flat().filter((each) => each.points.length > 0);
}

/**
 * @param {Target} target
 * @param {number} range
 * @param {number} now
 * @returns {Promise<Series[]>}
 */
async function ofTarget(target, range, now) {
  const query = withVariables(target.expr, range);
  const step = stepOf(range);
  const end = Math.floor(now / step) * step;
  const data = target.instant
    ? await ask("query", { query, time: `${now}` })
    : await ask("query_range", { query, start: `${end - range}`, end: `${end}`, step: `${step}` });
  return data.result.map((/** @type {any} */ each) => ({
    name: nameOf(target.legendFormat ?? "", each.metric),
    points: (each.values ?? [each.value])
      .map((/** @type {[number, string]} */ [time, value]) => [time, Number(value)])
      .filter((/** @type {[number, number]} */ [, value]) => Number.isFinite(value)),
  }));
}

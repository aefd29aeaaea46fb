// Draws the panels of Grafana's dashboard (dashboard.json), so that there is one list of them.

import { chart } from "./chart.js";
import { shown } from "./format.js";
import { ask, seriesOf, stepOf } from "./queries.js";

/** @typedef {import("./queries.js").Panel} Panel */
/** @typedef {import("./queries.js").Series} Series */
/** @typedef {import("./queries.js").Defaults} Defaults */

const EVERY = 15_000;

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/**
 * @param {string} name
 * @param {string} text
 * @param {Record<string, string>} attributes
 * @returns {HTMLElement}
 */
function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/**
 * @param {number} value
 * @param {Defaults} defaults
 * @returns {{ text: string, tone: string }}
 */
function format(value, defaults) {
  const mapped = defaults.mappings?.[0]?.options[`${value}`];
  if (mapped) return { text: mapped.text, tone: mapped.color };
  const reached = (defaults.thresholds?.steps ?? []).filter((step) => value >= (step.value ?? -Infinity));
  const tone = reached[reached.length - 1]?.color ?? "text";
  return { text: shown(value, defaults.unit ?? "none", defaults.decimals), tone };
}

/**
 * @param {Panel} panel
 * @param {Series[]} series
 * @returns {HTMLElement}
 */
function rows(panel, series) {
  const list = element("ul", "", { class: "rows" });
  const named = [...series].sort((one, other) => one.name.localeCompare(other.name));
  for (const { name, points } of named) {
    const value = points[points.length - 1][1];
    const { text, tone } = format(value, panel.fieldConfig.defaults);
    const item = element("li", "");
    item.append(element("span", name), element("b", text, { "data-tone": tone }));
    if (panel.type === "bargauge") {
      const bar = { value: `${Math.min(value, 1)}`, max: "1", "aria-label": name, "data-tone": tone };
      item.append(element("progress", "", bar));
    }
    list.append(item);
  }
  return list;
}

/**
 * @param {Panel} panel
 * @param {Series[]} series
 * @param {number} range
 * @param {number} now
 * @param {number} width pixels
 * @returns {HTMLElement[]}
 */
function drawn(panel, series, range, now, width) {
  const defaults = panel.fieldConfig.defaults;
  if (series.length === 0) return [element("p", defaults.noValue ?? "no data", { class: "empty" })];
  if (panel.type === "timeseries") {
    const step = stepOf(range);
    const frame = {
      range,
      step,
      end: Math.floor(now / step) * step,
      unit: defaults.unit ?? "none",
      width,
      stacked: defaults.custom?.stacking?.mode === "normal",
    };
    return chart(series, frame, panel.title);
  }
  if (panel.type === "stat" && !panel.targets[0].legendFormat) {
    const { text, tone } = format(series[0].points[0][1], defaults);
    return [element("p", text, { class: "value", "data-tone": tone })];
  }
  return [rows(panel, series)];
}

/**
 * @param {Panel} panel
 * @returns {HTMLElement} its place on the page, without content
 */
function place(panel) {
  const section = element("section", "", {
    class: "panel",
    "data-panel": panel.title,
    "data-width": `${panel.gridPos.w}`,
    "aria-labelledby": `panel-${panel.id}`,
  });
  section.append(
    element("h3", panel.title, { id: `panel-${panel.id}` }),
    element("p", panel.description, { class: "muted" }),
  );
  return section;
}

/** @param {{ alerts: any[] }} data */
function showAlarms({ alerts }) {
  const order = ["critical", "warning"];
  const firing = alerts
    .filter((alert) => alert.state === "firing")
    .sort((one, other) => order.indexOf(one.labels.severity) - order.indexOf(other.labels.severity));
  const pending = alerts.length - firing.length;
  const raised = firing.length === 0 ? "none is raised" : `${firing.length} raised`;
  const waiting = pending ? `; ${pending} pending` : "";
  byId("alarms-none").textContent = raised + waiting;
  byId("alarms").replaceChildren(
    ...firing.map(({ labels, annotations, activeAt }) => {
      const item = element("li", "", { class: "alarm", "data-severity": labels.severity });
      const since = new Date(activeAt).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
      item.append(
        element("h3", `${labels.severity}: ${annotations.summary}`),
        element("p", `${annotations.evidence}; since ${since}`),
        element("p", `What to do: ${annotations.action}`),
      );
      return item;
    }),
  );
}

/**
 * @param {Map<Panel, HTMLElement>} panels
 * @param {number} range
 */
async function refresh(panels, range) {
  const now = Date.now() / 1000;
  const work = [...panels].map(async ([panel, section]) => {
    const series = await seriesOf(panel, range, now);
    const content = drawn(panel, series, range, now, section.clientWidth - 32);
    // The time chosen may be another one by now.
    if (range === chosen()) section.replaceChildren(...[...section.children].slice(0, 2), ...content);
  });
  const trouble = byId("trouble");
  try {
    await Promise.all([ask("alerts").then(showAlarms), ...work]);
    trouble.hidden = true;
  } catch (error) {
    trouble.textContent = `Prometheus does not answer: ${error instanceof Error ? error.message : error}`;
    trouble.hidden = false;
  }
}

/** @returns {number} the seconds that are shown */
const chosen = () =>
  Number(/** @type {HTMLInputElement} */ (document.querySelector("#ranges input:checked")).value);

async function main() {
  /** @type {{ panels: Panel[] }} */
  const dashboard = await (await fetch("dashboard.json")).json();
  const panels = new Map(dashboard.panels.map((panel) => [panel, place(panel)]));
  byId("panels").replaceChildren(...panels.values());
  byId("ranges").addEventListener("change", () => void refresh(panels, chosen()));
  for (;;) {
    await refresh(panels, chosen());
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

void main();

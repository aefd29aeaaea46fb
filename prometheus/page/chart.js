// A chart of some series over time, as SVG; its values are in words below it, for those who cannot see it.

import { clock, roundUp, shown } from "./format.js";

/** @typedef {import("./queries.js").Series} Series */
/** @typedef {{ range: number, end: number, step: number, unit: string, stacked: boolean, width: number }} Frame */

const HEIGHT = 220;
const LEFT = 84;
const BOTTOM = 24;
const TOP = 8;
const COLOURS = 7;

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElement}
 */
export function svg(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, `${value}`);
  return element;
}

/**
 * @param {Series[]} series
 * @param {Frame} frame
 * @param {string} title
 * @returns {HTMLElement[]} the picture and its legend
 */
export function chart(series, frame, title) {
  const begin = frame.end - frame.range;
  const tops = frame.stacked ? stacked(series) : series.map((each) => each.points);
  const highest = roundUp(Math.max(...tops.flat().map(([, value]) => value), 0), frame.unit);
  const x = (/** @type {number} */ time) => LEFT + ((time - begin) / frame.range) * (frame.width - LEFT);
  const y = (/** @type {number} */ value) => TOP + (1 - value / highest) * (HEIGHT - TOP - BOTTOM);

  const picture = svg("svg", { viewBox: `0 0 ${frame.width} ${HEIGHT}`, role: "img" });
  const label = svg("title", {});
  label.textContent = `${title}: a chart, its last values are below`;
  picture.append(label, ...grid(frame, begin, highest, x, y));
  for (const [at, points] of [...tops.entries()].reverse()) {
    picture.append(...curves(points, at, frame, x, y));
  }
  const { list, values } = legend(series, frame);
  follow(/** @type {SVGSVGElement} */ (picture), series, values, frame, begin, x);
  return [/** @type {any} */ (picture), list];
}

/**
 * @param {Series[]} series
 * @returns {[number, number][][]} each on top of those before it
 */
function stacked(series) {
  /** @type {Map<number, number>} */
  const heights = new Map();
  return series.map((each) =>
    each.points.map(([time, value]) => {
      heights.set(time, (heights.get(time) ?? 0) + value);
      return [time, heights.get(time) ?? 0];
    }),
  );
}

/**
 * @param {Frame} frame
 * @param {number} begin
 * @param {number} highest
 * @param {(time: number) => number} x
 * @param {(value: number) => number} y
 * @returns {SVGElement[]}
 */
function grid(frame, begin, highest, x, y) {
  const parts = [0, 0.5, 1].flatMap((share) => {
    const at = y(highest * share);
    const text = svg("text", { x: LEFT - 8, y: at + 4, "text-anchor": "end", class: "axis" });
    text.textContent = shown(highest * share, frame.unit === "reqpm" ? "none" : frame.unit);
    return [svg("line", { x1: LEFT, x2: frame.width, y1: at, y2: at, class: "grid" }), text];
  });
  const times = [0, 0.5, 1].map((share) => {
    const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
    const time = begin + frame.range * share;
    const text = svg("text", { x: x(time), y: HEIGHT - 6, "text-anchor": anchor, class: "axis" });
    text.textContent = clock(time, frame.range);
    return text;
  });
  return [...parts, ...times];
}

/**
 * @param {[number, number][]} points
 * @param {number} at which series
 * @param {Frame} frame
 * @param {(time: number) => number} x
 * @param {(value: number) => number} y
 * @returns {SVGElement[]} a line for each time without a gap, and what lies under it
 */
function curves(points, at, frame, x, y) {
  const colour = `var(--series-${at % COLOURS})`;
  const place = (/** @type {[number, number]} */ [time, value]) =>
    `${x(time).toFixed(1)},${y(value).toFixed(1)}`;
  return pieces(points, frame.step).flatMap((piece) => {
    const path = `M${piece.map(place).join("L")}${piece.length === 1 ? "h2" : ""}`;
    const line = svg("path", { d: path, class: "curve", stroke: colour });
    if (!frame.stacked) return [line];
    const base = y(0).toFixed(1);
    const [first, last] = [x(piece[0][0]).toFixed(1), x(piece[piece.length - 1][0]).toFixed(1)];
    return [svg("path", { d: `${path}L${last},${base}L${first},${base}Z`, class: "area", fill: colour }), line];
  });
}

/**
 * @param {[number, number][]} points
 * @param {number} step seconds
 * @returns {[number, number][][]} cut where measurements are missing
 */
export function pieces(points, step) {
  /** @type {[number, number][][]} */
  const found = [];
  for (const point of points) {
    const piece = found[found.length - 1];
    if (piece && point[0] - piece[piece.length - 1][0] <= step * 1.5) piece.push(point);
    else found.push([point]);
  }
  return found;
}

/**
 * @param {Series[]} series
 * @param {Frame} frame
 * @returns {{ list: HTMLElement, values: HTMLElement[] }} a name and a value each
 */
function legend(series, frame) {
  const list = document.createElement("ul");
  list.className = "legend";
  const values = series.map((each, at) => {
    const item = document.createElement("li");
    const swatch = svg("svg", { class: "swatch", viewBox: "0 0 10 10", "aria-hidden": "true" });
    swatch.append(svg("rect", { width: 10, height: 10, rx: 2, fill: `var(--series-${at % COLOURS})` }));
    const value = document.createElement("b");
    item.append(swatch, `${each.name} `, value);
    list.append(item);
    return value;
  });
  tell(series, values, frame, frame.end);
  return { list, values };
}

/**
 * Puts the values of one time into the legend.
 * @param {Series[]} series
 * @param {HTMLElement[]} values
 * @param {Frame} frame
 * @param {number} time
 */
function tell(series, values, frame, time) {
  for (const [at, each] of series.entries()) {
    const before = each.points.filter(([when]) => when <= time + frame.step / 2).pop();
    const fresh = before && time - before[0] <= frame.step * 1.5;
    values[at].textContent = fresh ? shown(before[1], frame.unit) : "–";
  }
}

/**
 * While a pointer is over the picture, the legend has the values of that time.
 * @param {SVGSVGElement} picture
 * @param {Series[]} series
 * @param {HTMLElement[]} values
 * @param {Frame} frame
 * @param {number} begin
 * @param {(time: number) => number} x
 */
function follow(picture, series, values, frame, begin, x) {
  const cursor = svg("line", { y1: TOP, y2: HEIGHT - BOTTOM, class: "cursor", visibility: "hidden" });
  picture.append(cursor);
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width - LEFT / frame.width) / (1 - LEFT / frame.width);
    const time = begin + Math.round((Math.min(Math.max(share, 0), 1) * frame.range) / frame.step) * frame.step;
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, `${x(time)}`);
    cursor.setAttribute("visibility", "visible");
    tell(series, values, frame, time);
  });
  picture.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    tell(series, values, frame, frame.end);
  });
}

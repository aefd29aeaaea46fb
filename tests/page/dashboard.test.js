// The dashboard's page: what Prometheus is asked, and how its answers are written.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { pieces } from "../../prometheus/page/chart.js";
import { clock, roundUp, shown } from "../../prometheus/page/format.js";
import { nameOf, stepOf, withVariables } from "../../prometheus/page/queries.js";

test("a chart has about 120 points, and never more than there are measurements", () => {
  assert.equal(stepOf(900), 15);
  assert.equal(stepOf(86_400), 720);
  assert.equal(604_800 / stepOf(604_800) <= 121, true);
});

test("Grafana's variables become durations, and no other is left in the dashboard", () => {
  assert.equal(withVariables("rate(a[$__rate_interval]) + b[$__range]", 900), "rate(a[60s]) + b[900s]");
  assert.equal(withVariables("[$__rate_interval]", 86_400), "[735s]");
  const file = new URL("../../prometheus/page/dashboard.json", import.meta.url);
  for (const panel of JSON.parse(readFileSync(file, "utf8")).panels) {
    for (const { expr } of panel.targets) assert.doesNotMatch(withVariables(expr, 3600), /\$/);
  }
});

test("a series is named by its format, or by all its labels", () => {
  assert.equal(nameOf("{{alias}} {{ model }}", { alias: "a", model: "m" }), "a m");
  assert.equal(nameOf("", { alias: "a", model: "m" }), "alias=a model=m");
  assert.equal(nameOf("{{gone}}", {}), "");
});

test("numbers are written as people read them", () => {
  assert.equal(shown(0.125, "percentunit"), "12.5 %");
  assert.equal(shown(0.00012, "currencyUSD"), "$0.0001");
  assert.equal(shown(12.345, "currencyUSD"), "$12.35");
  assert.equal(shown(536870912, "bytes"), "512 MiB");
  assert.equal(shown(0, "bytes"), "0 B");
  assert.equal(shown(0.25, "s"), "250 ms");
  assert.equal(shown(3.5, "s"), "3.5 s");
  assert.equal(shown(1234.5, "none", 0), "1,235");
});

test("an axis ends at a round number", () => {
  assert.equal(roundUp(0), 1);
  assert.equal(roundUp(0.3), 0.5);
  assert.equal(roundUp(20), 20);
  assert.equal(roundUp(21), 50);
  assert.equal(roundUp(300 * 1024 ** 2, "bytes"), 500 * 1024 ** 2);
});

test("more than a day has its day beside the hour", () => {
  assert.match(clock(0, 86_400), /^\d\d:\d\d$/);
  assert.match(clock(0, 604_800), /^1 Jan \d\d:\d\d$/);
});

test("a line is cut where measurements are missing", () => {
  assert.deepEqual(pieces([[0, 1], [15, 1], [60, 1]], 15), [[[0, 1], [15, 1]], [[60, 1]]]);
});

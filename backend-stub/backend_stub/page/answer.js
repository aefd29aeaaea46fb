/** The panel about the latest answer: figures, which deployment answered, and after which attempts. */

import { element } from "./dom.js";
import { cost, count, duration, ordinal } from "./format.js";

/** @import {Route, Usage} from "./api.js" */

/** What came of an attempt, in the gateway's words (gateway/gateway/routing/failure.py) and ours. */
const OUTCOMES = new Map([
  ["answered", "answered"],
  ["unreachable", "no connection, or it broke"],
  ["unresponsive", "no answer in time"],
  ["failing", "failed on the provider's side"],
  ["limited", "too many requests"],
  ["unauthorised", "the provider refused the key"],
  ["missing", "the model is not there"],
  ["request", "the request could not be taken"],
  ["broke-schema", "answered, but not in the requested schema"],
]);

/**
 * Shows an answer, or as much as is known of one that failed.
 *
 * @param {HTMLElement} panel
 * @param {{to: string, milliseconds: number, firstPiece?: number, usage?: Usage, model?: string,
 *   requestId: string | null, route: Route | null}} answer
 */
export function showAnswer(panel, answer) {
  const { usage, route } = answer;
  panel.replaceChildren(
    element("p", { class: "muted small" }, answer.to),
    element("dl", { class: "figures" }, ...figures(answer, usage)),
    element(
      "dl",
      { class: "facts" },
      ...fact("Answered by", answer.model),
      ...fact("Under the name", route?.alias),
      ...fact("Deployment", route?.deployment?.slice(0, 16)),
      ...fact("Request id", answer.requestId),
    ),
    ...(route ? [way(route)] : []),
  );
}

/**
 * @param {{milliseconds: number, firstPiece?: number}} answer
 * @param {Usage | undefined} usage
 */
function figures(answer, usage) {
  const first = answer.firstPiece;
  return [
    pair("Latency", duration(answer.milliseconds), first && `first piece ${duration(first)}`),
    ...(usage
      ? [
          pair("Cost", cost(usage.cost_usd)),
          pair("Tokens in", count(usage.prompt_tokens)),
          pair("Tokens out", count(usage.completion_tokens)),
        ]
      : []),
  ];
}

/**
 * @param {string} term
 * @param {string} value
 * @param {string | 0} [note]
 */
function pair(term, value, note) {
  const notes = note ? [element("dd", { class: "note" }, note)] : [];
  return element("div", {}, element("dt", {}, term), element("dd", {}, value), ...notes);
}

/**
 * @param {string} term
 * @param {string | null | undefined} value
 */
function fact(term, value) {
  if (!value) return [];
  return [element("div", {}, element("dt", {}, term), element("dd", { class: "code" }, value))];
}

/** @param {Route} route */
function way(route) {
  const attempts = route.outcomes.map((outcome) =>
    element(
      "li",
      {},
      element(
        "span",
        { class: outcome === "answered" ? "answered" : "failed" },
        OUTCOMES.get(outcome) ?? outcome,
      ),
    ),
  );
  return element(
    "div",
    { class: "facts" },
    element(
      "div",
      {},
      element("p", { id: "way" }, reason(route)),
      element("ol", { class: "attempts", "aria-label": "Attempts" }, ...attempts),
    ),
  );
}

/**
 * Says in a sentence why this deployment answered, or that none did.
 *
 * @param {Route} route
 * @returns {string}
 */
export function reason(route) {
  const { alias, attempts, fallback_from: asked, outcomes } = route;
  if (attempts === 0) return `Nobody was asked: no deployment of ${alias} is in use just now.`;
  if (outcomes.at(-1) !== "answered") return `No deployment answered, in ${count(attempts, "attempt")}.`;
  if (asked) return `${asked} gave no answer, so the gateway fell back to ${alias}.`;
  if (attempts === 1) return `${alias} was asked for, and answered at once.`;
  return `${alias} was asked for, and answered at the ${ordinal(attempts)} attempt.`;
}

/** The items as cards; a card opens to its explanation, which is shown while it is written. */

import { element } from "./dom.js";
import { cost, count, duration } from "./format.js";
import { showFailure } from "./failure.js";

/** @import {Answered, Item} from "./api.js" */

/**
 * @typedef {object} Explainer
 * @property {(item: Item, signal: AbortSignal) =>
 *   AsyncGenerator<string, Answered & {truncated: boolean}>} ask
 * @property {(item: Item, done: Answered, milliseconds: number, firstPiece: number) => void} done
 * @property {(item: Item, error: unknown, milliseconds: number) => void} failed
 */

/**
 * @param {HTMLElement} list
 * @param {Item[]} items
 * @param {Explainer} explainer
 */
export function showItems(list, items, explainer) {
  list.replaceChildren(...items.map((item, number) => card(item, `explanation-${number}`, explainer)));
}

/**
 * Shows that items are on their way.
 *
 * @param {HTMLElement} list
 */
export function showWaiting(list) {
  const blank = () => element("li", { class: "card waiting", "aria-hidden": "true" });
  list.replaceChildren(blank(), blank(), blank());
}

/**
 * @param {Item} item
 * @param {string} id of the explanation
 * @param {Explainer} explainer
 */
function card(item, id, explainer) {
  const button = element(
    "button",
    { type: "button", "aria-expanded": "false", "aria-controls": id },
    element(
      "span",
      {},
      element("span", { class: "german", lang: "de" }, item.text),
      element("span", { class: "translation" }, item.translation),
    ),
    element("span", { class: "type", "data-type": item.type }, item.type),
    element("span", { class: "chevron" }),
  );
  const panel = element("div", { class: "explanation", id, hidden: true });
  /** @type {AbortController | null} */
  let running = null;
  let complete = false;

  async function write() {
    const call = new AbortController();
    running = call;
    complete = await writeExplanation(panel, item, explainer, call.signal);
    if (running === call) running = null;
  }

  button.addEventListener("click", () => {
    const open = panel.hidden;
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (!open) running?.abort(); // the backend ends the call upstream as well
    else if (!complete) write();
  });
  return element("li", { class: "card" }, button, panel);
}

/**
 * @param {HTMLElement} panel
 * @param {Item} item
 * @param {Explainer} explainer
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} whether the explanation is there as a whole
 */
async function writeExplanation(panel, item, explainer, signal) {
  const text = element("p", { class: "text" });
  panel.replaceChildren(text);
  panel.setAttribute("aria-busy", "true");
  const started = performance.now();
  let firstPiece = 0;
  try {
    const pieces = explainer.ask(item, signal);
    let step = await pieces.next();
    for (; !step.done; step = await pieces.next()) {
      firstPiece ||= performance.now() - started;
      text.append(step.value);
    }
    const milliseconds = performance.now() - started;
    panel.append(element("p", { class: "muted small" }, summary(step.value, milliseconds)));
    explainer.done(item, step.value, milliseconds, firstPiece);
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    const failure = element("div", { role: "alert" });
    panel.append(failure);
    showFailure(failure, error);
    explainer.failed(item, error, performance.now() - started);
    return false;
  } finally {
    if (!signal.aborted) panel.setAttribute("aria-busy", "false");
  }
}

/**
 * @param {Answered & {truncated: boolean}} done
 * @param {number} milliseconds
 */
function summary({ usage, model, truncated }, milliseconds) {
  const parts = [
    duration(milliseconds),
    count(usage.completion_tokens, "token"),
    cost(usage.cost_usd),
    model,
    ...(truncated ? ["cut at the token limit"] : []),
  ];
  return parts.join(" · ");
}

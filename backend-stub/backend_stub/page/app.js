/** Joins the page: what is typed, chosen and clicked, and where its answer is shown. */

import * as api from "./api.js";
import { showAnswer } from "./answer.js";
import { offer } from "./choices.js";
import { byId } from "./dom.js";
import { showFailure } from "./failure.js";
import { count, duration } from "./format.js";
import { watchHealth } from "./health.js";
import { showItems, showWaiting } from "./items.js";
import { showRequests } from "./requests.js";

const MAX_TEXT = 4000;
const page = {
  composer: byId("composer", HTMLFormElement),
  text: byId("text", HTMLTextAreaElement),
  count: byId("count", HTMLElement),
  extraction: byId("extraction", HTMLSelectElement),
  explanation: byId("explanation", HTMLSelectElement),
  button: byId("extract", HTMLButtonElement),
  elapsed: byId("elapsed", HTMLElement),
  status: byId("status", HTMLElement),
  failure: byId("failure", HTMLElement),
  items: byId("items", HTMLElement),
  empty: byId("empty", HTMLElement),
  answer: byId("answer", HTMLElement),
  requests: byId("requests", HTMLElement),
  noRequests: byId("no-requests", HTMLElement),
};

const askForHealth = watchHealth(byId("health", HTMLElement), offerModels);

/** @type {AbortController | null} */
let extracting = null;

async function extract() {
  const call = new AbortController();
  const text = page.text.value;
  const started = performance.now();
  const clock = setInterval(() => {
    page.elapsed.textContent = duration(performance.now() - started);
  }, 100);
  extracting = call;
  page.button.textContent = "Stop";
  page.status.textContent = "extracting";
  page.failure.replaceChildren();
  page.empty.hidden = true;
  showWaiting(page.items);
  try {
    const answer = await api.extract(text, page.extraction.value, call.signal);
    const milliseconds = performance.now() - started;
    showItems(page.items, answer.items, explainer(text));
    page.status.textContent = `${count(answer.items.length, "item")} in ${duration(milliseconds)}`;
    tellOf("POST /extract", answer, milliseconds);
  } catch (error) {
    page.items.replaceChildren();
    page.status.textContent = call.signal.aborted ? "stopped" : "";
    if (!call.signal.aborted) {
      tellOfFailure("POST /extract", error, performance.now() - started);
      showFailure(page.failure, error);
    }
  } finally {
    clearInterval(clock);
    page.elapsed.textContent = "";
    page.button.textContent = "Extract";
    page.empty.hidden = page.items.childElementCount > 0 || page.failure.childElementCount > 0;
    extracting = null;
  }
}

/**
 * @param {string} context the text that the items are from
 * @returns {import("./items.js").Explainer}
 */
function explainer(context) {
  return {
    ask(item, signal) {
      page.status.textContent = `explaining ${item.text}`;
      return api.explain({ item: item.text, context }, page.explanation.value, signal);
    },
    done(item, answer, milliseconds, firstPiece) {
      page.status.textContent = `${item.text} is explained`;
      tellOf(`POST /explain, ${item.text}`, answer, milliseconds, firstPiece);
    },
    failed(item, error, milliseconds) {
      page.status.textContent = `${item.text} is not explained`;
      tellOfFailure(`POST /explain, ${item.text}`, error, milliseconds);
    },
  };
}

/**
 * @param {string} to
 * @param {api.Answered} answer
 * @param {number} milliseconds
 * @param {number} [firstPiece]
 */
function tellOf(to, answer, milliseconds, firstPiece) {
  const { usage, model, route, request_id: requestId } = answer;
  showAnswer(page.answer, { to, milliseconds, firstPiece, usage, model, route, requestId });
  refresh(requestId);
}

/**
 * @param {string} to
 * @param {unknown} error
 * @param {number} milliseconds
 */
function tellOfFailure(to, error, milliseconds) {
  if (!(error instanceof api.RequestFailed)) return;
  const { route, requestId } = error;
  askForHealth();
  showAnswer(page.answer, { to, milliseconds, route, requestId });
  refresh(requestId);
}

/**
 * Fetches the last requests; again while one is missing, as it is noted after its last byte.
 *
 * @param {string | null} [id] of a request that must be among them
 */
async function refresh(id = null) {
  for (let tries = 0; tries < 5; tries += 1) {
    const requests = await api.lastRequests().catch(() => []);
    showRequests(page.requests, requests);
    page.noRequests.hidden = requests.length > 0;
    if (id === null || requests.some((request) => request.request_id === id)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function offerModels() {
  try {
    const { models, extraction, explanation } = await api.models();
    offer(page.extraction, byId("extraction-serves", HTMLElement), models, extraction);
    offer(page.explanation, byId("explanation-serves", HTMLElement), models, explanation);
  } catch (error) {
    showFailure(page.failure, error); // the default stays chosen, so that the page is of use
  }
}

function countCharacters() {
  page.count.textContent = `${count(page.text.value.length)} of ${count(MAX_TEXT)} characters`;
}

page.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  if (extracting) extracting.abort();
  else extract();
});
page.text.addEventListener("keydown", (event) => {
  const submits = event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat;
  if (submits) page.composer.requestSubmit();
});
page.text.addEventListener("input", countCharacters);
byId("refresh", HTMLButtonElement).addEventListener("click", () => refresh());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") return;
  askForHealth();
  refresh();
});

countCharacters();
askForHealth();
refresh();

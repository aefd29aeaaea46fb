/** The backend's endpoints, as backend_stub/schemas.py describes them. */

import { eventsOf } from "./events.js";

/**
 * @typedef {{prompt_tokens: number, completion_tokens: number, cost_usd: number | null}} Usage
 * @typedef {{alias: string, model: string | null, deployment: string | null, attempts: number,
 *   fallback_from: string | null, outcomes: string[]}} Route
 * @typedef {{type: string, text: string, translation: string}} Item
 * @typedef {{model: string, usage: Usage, request_id: string, route: Route | null}} Answered
 * @typedef {{name: string, served_by: string[]}} ModelName
 * @typedef {{time: string, path: string, status: number | null, error: string | null,
 *   model: string | null, prompt_tokens: number | null, completion_tokens: number | null,
 *   cost_usd: number | null, duration_ms: number, request_id: string}} RecentRequest
 */

/** An answer that is none: what the backend says of it, or that there is no backend. */
export class RequestFailed extends Error {
  /**
   * @param {{code: string, message: string, request_id?: string, route?: Partial<Route>}} error
   * @param {string | null} retryAfter
   */
  constructor(error, retryAfter = null) {
    super(error.message);
    this.code = error.code;
    this.requestId = error.request_id ?? null;
    this.retryAfter = retryAfter;
    /** @type {Route | null} */
    this.route = error.route
      ? {
          alias: "",
          model: null,
          deployment: null,
          attempts: 0,
          fallback_from: null,
          outcomes: [],
          ...error.route,
        }
      : null;
  }
}

/** @returns {Promise<{extraction: string, explanation: string, models: ModelName[]}>} */
export async function models() {
  return (await send("models")).json();
}

/** @returns {Promise<RecentRequest[]>} newest first */
export async function lastRequests() {
  return (await (await send("requests")).json()).requests;
}

/** Returns when the gateway says that it is healthy. */
export async function gatewayIsHealthy() {
  await send("health/ready");
}

/**
 * @param {string} text
 * @param {string} model "" for the backend's default
 * @param {AbortSignal} signal
 * @returns {Promise<Answered & {items: Item[]}>}
 */
export async function extract(text, model, signal) {
  return (await send("extract", { body: { text, ...(model && { model }) }, signal })).json();
}

/**
 * Yields the explanation's pieces; returns what ended it.
 *
 * @param {{item: string, context: string}} question
 * @param {string} model "" for the backend's default
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<string, Answered & {truncated: boolean}>}
 */
export async function* explain(question, model, signal) {
  const response = await send("explain", {
    body: { ...question, ...(model && { model }) },
    headers: { accept: "text/event-stream" },
    signal,
  });
  if (!response.body) throw cutShort();
  for await (const { name, data } of eventsOf(response.body)) {
    if (name === "delta") yield data.text;
    if (name === "done") return data;
    if (name === "error") throw new RequestFailed(data.error);
  }
  throw cutShort();
}

function cutShort() {
  return new RequestFailed({ code: "answer_broken", message: "the connection ended too early" });
}

/**
 * @param {string} path relative, so that the page also works under a prefix
 * @param {{body?: object, headers?: Record<string, string>, signal?: AbortSignal}} [options]
 * @returns {Promise<Response>} a success
 */
async function send(path, { body, headers, signal } = {}) {
  /** @type {RequestInit} */
  const request = body
    ? {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json", ...headers },
      }
    : {};
  const response = await fetch(path, { ...request, signal }).catch((error) => {
    if (signal?.aborted) throw error;
    const message = "the backend cannot be reached: check that it runs";
    throw new RequestFailed({ code: "backend_unreachable", message });
  });
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  const unknown = { code: `http_${response.status}`, message: "the answer gives no reason" };
  throw new RequestFailed(answer?.error ?? unknown, response.headers.get("retry-after"));
}

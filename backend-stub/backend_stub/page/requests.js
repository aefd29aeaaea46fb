/** The last requests of all clients, as GET /requests tells them. */

import { element } from "./dom.js";
import { cost, count, duration } from "./format.js";

/** @import {RecentRequest} from "./api.js" */

const TIME = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });

/**
 * @param {HTMLElement} list
 * @param {RecentRequest[]} requests
 */
export function showRequests(list, requests) {
  list.replaceChildren(...requests.map(row));
}

/** @param {RecentRequest} request */
function row(request) {
  return element(
    "li",
    {},
    element(
      "p",
      { class: "line" },
      element("span", { class: "path" }, request.path),
      request.error
        ? element("span", { class: "bad" }, `${request.status ?? ""} ${request.error}`)
        : element("span", {}, figures(request)),
    ),
    element(
      "p",
      { class: "line muted" },
      element("span", {}, request.model ?? "no answer"),
      element("time", { datetime: request.time }, TIME.format(new Date(request.time))),
    ),
  );
}

/** @param {RecentRequest} request */
function figures(request) {
  const tokens = (request.prompt_tokens ?? 0) + (request.completion_tokens ?? 0);
  return [duration(request.duration_ms), count(tokens, "token"), cost(request.cost_usd)].join(" · ");
}

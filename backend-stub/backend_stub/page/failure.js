/** What went wrong, in the backend's words. */

import { RequestFailed } from "./api.js";
import { element } from "./dom.js";

/**
 * @param {HTMLElement} place an alert, so that it is read out
 * @param {unknown} error
 */
export function showFailure(place, error) {
  if (!(error instanceof RequestFailed)) throw error; // a defect of this page: the console has it
  const more = [
    ...(error.retryAfter ? [`retry after ${error.retryAfter} s`] : []),
    ...(error.requestId ? [`request id ${error.requestId}`] : []),
  ];
  place.replaceChildren(
    element(
      "div",
      { class: "failure" },
      element("p", {}, element("strong", {}, error.code), ` ${error.message}.`),
      ...more.map((each) => element("p", { class: "small code" }, each)),
    ),
  );
}

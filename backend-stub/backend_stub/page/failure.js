/** What went wrong, in the backend's words. */

import { RequestFailed } from "./api.js";
import { element } from "./dom.js";

/**
 * @param {HTMLElement} place an alert, so that it is read out
 * @param {unknown} error
 */
export function showFailure(place, error) {
  if (!(error instanceof RequestFailed)) throw error; // a defect of this page: the console has it
  const retry = error.retryAfter ? [` Try again in ${error.retryAfter} s.`] : [];
  const id = error.requestId
    ? [element("p", { class: "small code" }, `request id ${error.requestId}`)]
    : [];
  place.replaceChildren(
    element(
      "div",
      { class: "failure" },
      element("p", {}, element("strong", {}, error.code), ` ${error.message}.`, ...retry),
      ...id,
    ),
  );
}

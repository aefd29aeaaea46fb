/** Whether the gateway says that it is healthy; asked again while it does not. */

import { gatewayIsHealthy } from "./api.js";

const AGAIN = 5000; // milliseconds

/**
 * @param {HTMLElement} place
 * @param {() => void} whenHealthy called each time that it becomes so
 * @returns {() => Promise<void>} asks now
 */
export function watchHealth(place, whenHealthy) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  return async function ask() {
    clearTimeout(timer);
    try {
      await gatewayIsHealthy();
      if (show("good", "gateway healthy")) whenHealthy();
    } catch (error) {
      show("bad", error instanceof Error ? error.message : String(error));
      clearTimeout(timer);
      timer = setTimeout(ask, AGAIN);
    }
  };

  /**
   * @param {"good" | "bad"} state
   * @param {string} text
   * @returns {boolean} whether that is news: the same text once more would be read out again
   */
  function show(state, text) {
    if (place.textContent === text) return false;
    place.dataset.state = state;
    place.textContent = text;
    return true;
  }
}

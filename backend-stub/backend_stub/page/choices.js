/** The two lists of models, grouped by provider. */

import { element } from "./dom.js";
import { splitModel } from "./format.js";

/** @import {ModelName} from "./api.js" */

/**
 * Fills a list, and says under it what serves the chosen name. What was chosen stays chosen.
 *
 * @param {HTMLSelectElement} select
 * @param {HTMLElement} serves
 * @param {ModelName[]} models
 * @param {string} byDefault what the backend asks when a request names no model
 */
export function offer(select, serves, models, byDefault) {
  const groups = Map.groupBy(models, providerOf);
  const before = select.value || byDefault;
  const known = models.some((model) => model.name === byDefault);
  select.replaceChildren(
    ...(known ? [] : [element("option", { value: "" }, `the default: ${byDefault}`)]),
    ...[...groups].map(([provider, members]) =>
      element("optgroup", { label: provider }, ...members.map(({ name }) => option(name))),
    ),
  );

  function tell() {
    const chosen = models.find((model) => model.name === select.value);
    serves.textContent = chosen?.served_by.join(", ") ?? "";
  }
  select.onchange = tell;
  tell();

  /** @param {string} name */
  function option(name) {
    return element("option", { value: name, selected: name === before }, name);
  }
}

/** @param {ModelName} model */
function providerOf({ served_by: models }) {
  const providers = new Set(models.map((model) => splitModel(model).provider));
  if (providers.size > 1) return "several providers";
  return [...providers][0] || "unknown provider";
}

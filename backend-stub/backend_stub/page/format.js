/** Numbers and words as they are shown. */

const COUNT = new Intl.NumberFormat("en");
const DOLLARS = new Intl.NumberFormat("en", { style: "currency", currency: "USD" });
const SMALL_DOLLARS = new Intl.NumberFormat("en", {
  style: "currency",
  currency: "USD",
  maximumSignificantDigits: 3,
});
const ORDINAL_RULES = new Intl.PluralRules("en", { type: "ordinal" });
const ORDINALS = new Map([
  ["one", "st"],
  ["two", "nd"],
  ["few", "rd"],
]);

/**
 * @param {number | null} dollars null: the gateway knows no price
 * @returns {string} with as many digits as a price of a few tokens needs
 */
export function cost(dollars) {
  if (dollars === null) return "unknown";
  if (dollars === 0) return "$0";
  return (dollars < 1 ? SMALL_DOLLARS : DOLLARS).format(dollars);
}

/**
 * @param {number} milliseconds
 * @returns {string}
 */
export function duration(milliseconds) {
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(milliseconds < 9995 ? 2 : 1)} s`;
}

/**
 * @param {number} number
 * @param {string} [noun] in the singular
 * @returns {string}
 */
export function count(number, noun = "") {
  const plural = number === 1 ? noun : `${noun}s`;
  return noun ? `${COUNT.format(number)} ${plural}` : COUNT.format(number);
}

/**
 * @param {number} number
 * @returns {string}
 */
export function ordinal(number) {
  return `${number}${ORDINALS.get(ORDINAL_RULES.select(number)) ?? "th"}`;
}

/**
 * Splits a model as LiteLLM writes it: "ollama_chat/llama3.2".
 *
 * @param {string} model
 * @returns {{provider: string, name: string}}
 */
export function splitModel(model) {
  const slash = model.indexOf("/");
  return slash < 0
    ? { provider: "", name: model }
    : { provider: model.slice(0, slash), name: model.slice(slash + 1) };
}

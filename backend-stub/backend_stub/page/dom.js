/** Makes elements; what a model wrote only ever becomes text, never markup. */

/**
 * @param {string} tag
 * @param {Record<string, string | boolean>} attributes true sets one without a value, false none
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/**
 * Returns the element of index.html with an id.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type its class, for example HTMLSelectElement
 * @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return found;
}

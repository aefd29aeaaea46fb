/**
 * Errors that have no counterpart in the engine travel through it as a number (P2036, "error in
 * external connector") and are looked up here when the answer comes back. The registry of
 * @prisma/driver-adapter-utils never forgets an error; this one does once it was looked up.
 */

/** An error with Prisma's code, for the client as it is. */
export class KnownError extends Error {
  /**
   * @param {string} code such as P2024: https://www.prisma.io/docs/orm/reference/error-reference
   * @param {string} message
   * @param {Record<string, unknown>} [meta]
   */
  constructor(code, message, meta = {}) {
    super(message);
    this.code = code;
    this.meta = meta;
  }
}

/** Nobody asks for an error whose request was given up, so the oldest go. */
const MOST = 1000;

export class ErrorRegistry {
  /** @type {Map<number, unknown>} */
  #errors = new Map();
  #next = 0;

  /** @param {unknown} error */
  registerNewError(error) {
    const id = this.#next++ % 0x7fff_ffff;
    this.#errors.set(id, error);
    if (this.#errors.size > MOST) this.#errors.delete(/** @type {number} */ (this.#errors.keys().next().value));
    return id;
  }

  /** @param {number} id */
  consumeError(id) {
    if (!this.#errors.has(id)) return undefined;
    const error = this.#errors.get(id);
    this.#errors.delete(id);
    return { error };
  }
}

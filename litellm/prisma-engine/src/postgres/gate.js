/**
 * Lets a fixed number of holders through, the others wait in line for a bounded time.
 *
 * node-postgres' pool has one timeout for two things, waiting for a free connection and opening one;
 * Prisma tells them apart (P2024 and P1001). So the line is kept here, in front of the pool.
 */

/** Nothing became free in time. */
export class GateTimeout extends Error {}

export class Gate {
  #free;
  /** @type {Array<() => void>} */
  #line = [];

  /** @param {number} limit */
  constructor(limit) {
    this.limit = limit;
    this.#free = limit;
  }

  get inUse() {
    return this.limit - this.#free;
  }

  get waiting() {
    return this.#line.length;
  }

  /**
   * Resolves with the function that gives the place back; calling it twice does nothing.
   * @param {number} timeoutMs 0 = wait for ever
   * @returns {Promise<() => void>}
   */
  async enter(timeoutMs) {
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(timeoutMs);
    return this.#leaveOnce();
  }

  /**
   * @param {number} timeoutMs
   * @returns {Promise<void>}
   */
  #wait(timeoutMs) {
    return new Promise((resolve, reject) => {
      /** @type {NodeJS.Timeout | undefined} */
      let timer;
      const turn = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#line.push(turn);
      if (timeoutMs === 0) return;
      timer = setTimeout(() => {
        this.#line = this.#line.filter((waiter) => waiter !== turn);
        reject(new GateTimeout());
      }, timeoutMs);
    });
  }

  #leaveOnce() {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = this.#line.shift();
      if (next) next();
      else this.#free += 1;
    };
  }
}

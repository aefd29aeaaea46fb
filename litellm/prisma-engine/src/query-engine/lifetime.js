/** When the engine ends: on SIGTERM or SIGINT, as prisma-client-py asks, or when its parent is gone. */
import { log } from './log.js';

const PARENT_POLL_MS = 1000;
/** Longer than LiteLLM's queries take, shorter than what a container is given to stop. */
const DRAIN_MS = 10_000;
const DRAIN_POLL_MS = 10;

/**
 * @param {import('node:http').Server} server
 * @param {{ close: () => Promise<void> }} engine
 */
export function endWithDignity(server, engine) {
  let ending = false;
  const end = async () => {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(0), DRAIN_MS).unref();
    await drained(server);
    await engine.close();
    process.exit(0);
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  onOrphaned(end);
}

/**
 * The parent's death sends no signal; its children get another parent.
 * @param {() => void} act
 */
function onOrphaned(act) {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && act(), PARENT_POLL_MS).unref();
}

/**
 * Requests under way are answered, new ones refused. Clients keep their connections open for reuse, so
 * each is closed as soon as nothing is under way on it: prisma-client-py waits for the process to end.
 * @param {import('node:http').Server} server
 */
function drained(server) {
  return new Promise((resolve) => {
    const closing = setInterval(() => server.closeIdleConnections(), DRAIN_POLL_MS);
    server.close(() => {
      clearInterval(closing);
      resolve(undefined);
    });
  });
}

/**
 * Nobody starts the engine again once it is gone, so what was not foreseen is logged and survived.
 * @param {(message: string) => void} onPanic
 */
export function surviveSurprises(onPanic) {
  /** @param {unknown} error */
  const survive = (error) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log('ERROR', `unexpected: ${text}`);
    if (error instanceof WebAssembly.RuntimeError) onPanic(error.message);
  };
  process.on('uncaughtException', survive);
  process.on('unhandledRejection', survive);
}

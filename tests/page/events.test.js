/** Server-sent events out of whatever pieces the network makes of them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { eventsOf } from "../../backend-stub/backend_stub/page/events.js";

const SENT = 'event: delta\ndata: {"text":"Bäume"}\n\nevent: done\ndata: {"model":"a: b"}\n\n';
const EVENTS = [
  { name: "delta", data: { text: "Bäume" } },
  { name: "done", data: { model: "a: b" } },
];

/** @param {Uint8Array[]} pieces */
async function received(pieces) {
  const body = new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  const events = [];
  for await (const event of eventsOf(body)) events.push(event);
  return events;
}

test("events come out alike wherever their bytes were cut, inside a letter too", async () => {
  const bytes = new TextEncoder().encode(SENT);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    assert.deepEqual(await received([bytes.slice(0, cut), bytes.slice(cut)]), EVENTS);
  }
});

test("an event that the end of the stream cut short is none", async () => {
  const bytes = new TextEncoder().encode(SENT.slice(0, -1));
  assert.deepEqual(await received([bytes]), EVENTS.slice(0, 1));
});

test("who stops reading ends the connection", async () => {
  let cancelled = false;
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode(SENT)),
    cancel: () => {
      cancelled = true;
    },
  });
  for await (const event of eventsOf(endless)) {
    assert.equal(event.name, "delta");
    break;
  }
  assert.ok(cancelled);
});

/** Server-sent events of a response: EventSource itself can send no body. */

/**
 * Yields the events in order, whatever pieces the network cuts them into. An event that the end of
 * the stream cut short is none.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<{name: string, data: any}>}
 */
export async function* eventsOf(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let buffer = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      buffer += decoder.decode(value, { stream: true });
      const blocks = buffer.split("\n\n");
      buffer = blocks.pop() ?? "";
      yield* blocks.map(parse);
    }
  } finally {
    await reader.cancel();
  }
}

/**
 * @param {string} block
 * @returns {{name: string, data: any}}
 */
function parse(block) {
  const fields = new Map(
    block.split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
    }),
  );
  return { name: fields.get("event") ?? "message", data: JSON.parse(fields.get("data") ?? "null") };
}

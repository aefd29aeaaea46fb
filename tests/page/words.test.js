/** Numbers and sentences as the page shows them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { reason } from "../../backend-stub/backend_stub/page/answer.js";
import { cost, count, duration, splitModel } from "../../backend-stub/backend_stub/page/format.js";

test("a cost has the digits that a few tokens need, and says when it is unknown", () => {
  assert.deepEqual(
    [0, 0.0000033, 0.00005775, 0.0127, 1.239, null].map(cost),
    ["$0", "$0.0000033", "$0.0000578", "$0.0127", "$1.24", "unknown"],
  );
});

test("a time is in milliseconds below a second, and in seconds from there", () => {
  assert.deepEqual(
    [0, 174.4, 999.4, 999.5, 1234, 9994, 9995, 72_340].map(duration),
    ["0 ms", "174 ms", "999 ms", "1.00 s", "1.23 s", "9.99 s", "10.0 s", "72.3 s"],
  );
});

test("a count has its noun in the right number", () => {
  assert.deepEqual(
    [count(4000), count(1, "item"), count(0, "item"), count(1200, "token")],
    ["4,000", "1 item", "0 items", "1,200 tokens"],
  );
});

test("the provider is what stands before the first slash", () => {
  assert.deepEqual(splitModel("huggingface/meta-llama/Llama-3.1-8B-Instruct"), {
    provider: "huggingface",
    name: "meta-llama/Llama-3.1-8B-Instruct",
  });
  assert.deepEqual(splitModel("gpt-4o-mini"), { provider: "", name: "gpt-4o-mini" });
});

/** @param {Partial<import("../../backend-stub/backend_stub/page/api.js").Route>} told */
const sentence = (told) =>
  reason({
    alias: "small",
    model: null,
    deployment: null,
    attempts: told.outcomes?.length ?? 0,
    fallback_from: null,
    outcomes: [],
    ...told,
  });

test("a sentence says why this deployment answered", () => {
  assert.equal(sentence({ outcomes: ["answered"] }), "small was asked for, and answered at once.");
  assert.equal(
    sentence({ outcomes: ["failing", "answered"] }),
    "small was asked for, and answered at the 2nd attempt.",
  );
  assert.equal(
    sentence({ alias: "large", fallback_from: "small", outcomes: ["unreachable", "answered"] }),
    "small gave no answer, so the gateway fell back to large.",
  );
});

test("or that none did, and how many were asked", () => {
  assert.equal(sentence({ outcomes: ["limited"] }), "No deployment answered, in 1 attempt.");
  assert.equal(sentence({}), "Nobody was asked: no deployment of small is in use just now.");
});

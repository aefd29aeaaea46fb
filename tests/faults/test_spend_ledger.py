"""What LiteLLM's tables say is what the upstream's own books say, for any mixture of requests."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.scripted import FREE, PRICED, control, ledger, play
from support.spending import Books, Payer, make_payer, read_books
from support.stack import Stack
from support.wait import until

INPUT, CACHED, OUTPUT = 0.15e-6, 0.075e-6, 0.60e-6
"""USD a token of gpt-4o-mini, from OpenAI's price list."""

APPLY_SECONDS = 20
KINDS = ["plain", "stream", "falls back", "retried", "tool", "cached", "reasoning", "embedding"]
SCRIPT = {
    "rules": [
        {"name": "falls back", "match": {"provider": "ollama"}, "do": {"status": 503}},
        {"name": "retried", "match": {"text": "retried"}, "when": {"every": 2},
         "do": {"status": 500}},
        {"name": "cached", "match": {"text": "cached"},
         "answer": {"input_tokens": 50, "cached_tokens": 20}},
        {"name": "reasoning", "match": {"text": "reasoning"},
         "answer": {"output_tokens": 40, "reasoning_tokens": 25}},
    ]
}  # fmt: skip
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


@pytest.fixture(scope="module")
def payer(spending: Stack) -> Payer:
    """Give the key, team and user that pay."""
    return make_payer(spending, "ledger")


def request(stack: Stack, payer: Payer, kind: str) -> str:
    """Make one request of a kind; return its call's id."""
    headers = {"Authorization": f"Bearer {payer.secret}"}
    if kind == "embedding":
        path = "embeddings"
        body: dict[str, Any] = {"model": PRICED, "input": "Hallo Hund"}
    else:
        path = "chat/completions"
        body = {"model": FREE if kind == "falls back" else PRICED, "stream": kind == "stream"}
        body["messages"] = [{"role": "user", "content": f"Hallo {kind} {secrets.token_hex(2)}"}]
        if kind == "tool":
            body["tools"] = [TOOL]
    answer = requests.post(f"{stack.gateway_url}/v1/{path}", json=body, headers=headers, timeout=60)
    assert answer.ok, answer.text
    return str(answer.headers["x-litellm-call-id"])


def billed(stack: Stack) -> tuple[int, float]:
    """Return how many answers the upstream would bill, and how many USD."""
    total: dict[str, Any] = ledger(stack)["total"]
    uncached = total["input"] - total["cached"]
    cost = uncached * INPUT + total["cached"] * CACHED + total["output"] * OUTPUT
    return total["answered"], cost


@settings(
    max_examples=12,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=8))
def test_rows_and_totals_are_what_the_upstream_bills(
    spending: Stack, payer: Payer, kinds: list[str]
) -> None:
    """One row for each answer; tokens times price to the last digit; totals are the rows' sums."""
    play(spending, SCRIPT)
    requests.post(f"{control(spending)}/reset?script=keep", timeout=60)
    before = read_books(spending, payer)
    calls = [request(spending, payer, kind) for kind in kinds]

    def complete() -> Books | None:
        books = read_books(spending, payer)
        return books if books.rows_of_calls.keys() >= set(calls) else None

    books = until(complete, seconds=APPLY_SECONDS, what="every row")
    answers, cost = billed(spending)
    assert answers == len(calls)
    assert [books.rows_of_calls[call] for call in calls] == [1] * len(calls)
    assert books.spent - before.spent == pytest.approx(cost, abs=1e-12)
    for name, total in books.totals.items():
        assert total == pytest.approx(books.spent, abs=1e-12), name


def test_an_answer_shows_the_attempts_before_it(spending: Stack, payer: Payer) -> None:
    """The row has the price of who answered, and says who was asked, and what came of it."""
    play(spending, {"rules": [{"name": "fails", "when": {"first": 1}, "do": {"status": 500}}]})
    call = request(spending, payer, "plain")

    def complete() -> dict[str, Any] | None:
        rows = read_books(spending, payer).rows
        return next((row for row in rows if row["litellm_call_id"] == call), None)

    row = until(complete, seconds=APPLY_SECONDS, what="the row")
    failed, answered = row["metadata"]["gateway"]["attempts"]
    assert failed["alias"] == PRICED
    assert failed["outcome"] != "answered"
    assert answered == {"alias": PRICED, "model": "openai/gpt-4o-mini", "outcome": "answered"}
    assert row["spend"] == pytest.approx(
        row["prompt_tokens"] * INPUT + row["completion_tokens"] * OUTPUT, abs=1e-12
    )


def test_usage_that_was_not_sent_is_counted_and_marked(spending: Stack, payer: Payer) -> None:
    """No usage from the provider: tokens are counted, priced, and the row says so."""
    play(spending, {"rules": [{"name": "silent", "do": {"no_usage": True}}]})
    calls = {request(spending, payer, kind) for kind in ("plain", "stream", "tool", "embedding")}

    def complete() -> list[dict[str, Any]] | None:
        rows = read_books(spending, payer).rows
        found = [row for row in rows if row["litellm_call_id"] in calls]
        return found if len(found) == len(calls) else None

    for row in until(complete, seconds=APPLY_SECONDS, what="every row"):
        assert row["metadata"]["gateway"]["usage_counted"] is True
        assert row["prompt_tokens"] > 0
        cost = row["prompt_tokens"] * INPUT + row["completion_tokens"] * OUTPUT
        assert row["spend"] == pytest.approx(cost, abs=1e-12)


def test_a_stream_that_the_client_cut_is_billed_for_what_was_said(
    spending: Stack, payer: Payer
) -> None:
    """The client leaves after three pieces: a row with their tokens, and not those of the rest."""
    slow = {"do": {"ms_per_token": 200}, "answer": {"text": "eins zwei drei vier " * 50}}
    play(spending, {"rules": [{"name": "slow", **slow}]})
    message = {"role": "user", "content": "Hallo"}
    with requests.post(
        f"{spending.gateway_url}/v1/chat/completions",
        json={"model": PRICED, "messages": [message], "stream": True},
        headers={"Authorization": f"Bearer {payer.secret}"},
        stream=True,
        timeout=60,
    ) as answer:
        call = answer.headers["x-litellm-call-id"]
        lines = (line for line in answer.iter_lines() if line)
        for _ in range(4):
            next(lines)

    def complete() -> dict[str, Any] | None:
        rows = read_books(spending, payer).rows
        return next((row for row in rows if row["litellm_call_id"] == call), None)

    row = until(complete, seconds=APPLY_SECONDS, what="the row")
    assert 2 <= row["completion_tokens"] <= 40
    cost = row["prompt_tokens"] * INPUT + row["completion_tokens"] * OUTPUT
    assert row["spend"] == pytest.approx(cost, abs=1e-12)

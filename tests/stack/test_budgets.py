"""Budgets hold: under parallel requests, after a kill, and while the database is away."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from uuid import uuid4

import pytest

from support.scripted import ask, ledger, play
from support.stack import Stack
from support.wait import until

INPUT_TOKENS, OUTPUT_TOKENS = 8, 100
INPUT_PRICE, OUTPUT_PRICE = 0.15e-6, 0.60e-6
COST = INPUT_TOKENS * INPUT_PRICE + OUTPUT_TOKENS * OUTPUT_PRICE
"""US dollars of one scripted answer of gpt-4o-mini; 8 is what LiteLLM counts for its prompt."""

PARALLEL = 50
OUTAGE_SECONDS = 120


@pytest.fixture(autouse=True)
def slow_answers(priced_stack: Stack) -> Iterator[None]:
    """Let each answer take a second and cost COST, so that requests really overlap."""
    bill(priced_stack, INPUT_TOKENS)
    yield
    play(priced_stack, {})


def bill(stack: Stack, input_tokens: int) -> float:
    """Let each answer take a second and some tokens of input; return its cost in USD."""
    answer = {"input_tokens": input_tokens, "output_tokens": OUTPUT_TOKENS}
    slow = {"name": "slow", "when": {"from": 1}, "do": {"stall": 1}}
    play(stack, {"answer": answer, "rules": [slow]})
    return input_tokens * INPUT_PRICE + OUTPUT_TOKENS * OUTPUT_PRICE


def key(stack: Stack, budget: float) -> str:
    """Make a key with a budget in US dollars and return its secret."""
    name = f"budget-{uuid4().hex[:8]}"
    done = stack.run("key", "create", name, "--budget", f"{budget:.10f}", "--json")
    return str(json.loads(done.stdout)["api_key"])


def parallel(
    stack: Stack, secret: str, *, stream: bool = False, callers: int = PARALLEL
) -> Counter[int]:
    """Return the statuses of many requests at once."""

    def one(_: int) -> int:
        return ask(stack, secret, max_tokens=OUTPUT_TOKENS, stream=stream).status_code

    with ThreadPoolExecutor(callers) as pool:
        return Counter(pool.map(one, range(callers)))


def billed(stack: Stack) -> int:
    """Return how many requests the upstream would bill."""
    return sum(int(row["requests"]) for row in ledger(stack)["rows"])


def exceeded(stack: Stack, secret: str) -> bool:
    """Return whether a request is refused because of the budget, and not for another reason."""
    answer = ask(stack, secret, max_tokens=OUTPUT_TOKENS)
    return not answer.ok and answer.json()["error"]["type"] == "budget_exceeded"


@pytest.mark.parametrize("stream", [False, True])
def test_of_fifty_at_once_a_budget_of_ten_lets_ten_through(
    priced_stack: Stack, counted: Callable[[str], None], *, stream: bool
) -> None:
    """Exactly as many are answered, billed upstream and paid for; all others are refused."""
    secret = key(priced_stack, 10 * COST)
    before = billed(priced_stack)

    statuses = parallel(priced_stack, secret, stream=stream)

    counted(f"answered {statuses[HTTPStatus.OK]} of {PARALLEL} at once, budget for 10")
    assert statuses[HTTPStatus.OK] == 10
    assert billed(priced_stack) - before == 10
    assert exceeded(priced_stack, secret)


def test_a_budget_is_passed_by_less_than_one_request(priced_stack: Stack) -> None:
    """With half a request's cost left, one more is let in, and only one."""
    secret = key(priced_stack, 3.5 * COST)

    assert parallel(priced_stack, secret)[HTTPStatus.OK] == 4
    assert exceeded(priced_stack, secret)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("callers", [30, 300])
def test_a_provider_may_bill_more_than_the_text_suggests(
    priced_stack: Stack, counted: Callable[[str], None], callers: int, *, stream: bool
) -> None:
    """80 tokens for a word: the budget is used to its end, and passed by less than one request."""
    cost = bill(priced_stack, 80)
    secret = key(priced_stack, 12.5 * cost)
    before = billed(priced_stack)

    statuses = parallel(priced_stack, secret, stream=stream, callers=callers)

    counted(f"answered {statuses[HTTPStatus.OK]} of {callers} at once, budget for 12.5")
    assert statuses == {HTTPStatus.OK: 13, HTTPStatus.TOO_MANY_REQUESTS: callers - 13}
    assert billed(priced_stack) - before == 13
    assert exceeded(priced_stack, secret)


def test_a_bill_beyond_the_bound_is_logged_and_paid(priced_stack: Stack) -> None:
    """5,000 tokens for one word: whoever was let in before the first bill is paid, nobody after."""
    cost = bill(priced_stack, 5000)
    secret = key(priced_stack, 1.5 * cost)
    since = time.time()

    answered = parallel(priced_stack, secret)[HTTPStatus.OK]

    fit_the_bound = int(1.5 * cost / (INPUT_TOKENS * INPUT_PRICE + OUTPUT_TOKENS * OUTPUT_PRICE))
    assert 2 <= answered <= fit_the_bound
    assert exceeded(priced_stack, secret)
    log = priced_stack.compose("logs", "--since", str(int(since)), "gateway").stdout
    assert log.count("exceeds its bound") == answered
    assert secret not in log


def test_a_spent_budget_is_still_spent_after_a_kill(priced_stack: Stack) -> None:
    """SIGKILL right after the last answer: the first request of the new process is refused."""
    secret = key(priced_stack, 5 * COST)
    assert parallel(priced_stack, secret)[HTTPStatus.OK] == 5

    priced_stack.compose("kill", "gateway")
    priced_stack.compose("up", "--detach", "--no-build", "--wait", "gateway")

    assert exceeded(priced_stack, secret)


def test_without_the_database_budgets_go_on_in_memory(priced_stack: Stack) -> None:
    """A key in use is served until its budget is spent; an unknown one is refused throughout."""
    secret = key(priced_stack, 12 * COST)
    assert ask(priced_stack, secret, max_tokens=OUTPUT_TOKENS).ok
    priced_stack.compose("stop", "postgres")
    try:
        statuses = parallel(priced_stack, secret)
        assert statuses[HTTPStatus.OK] == 11
        assert exceeded(priced_stack, secret)
        made_up = ask(priced_stack, "sk-made-up-0123456789abcdef")
        assert made_up.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    finally:
        priced_stack.compose("start", "postgres")
        priced_stack.wait_for("gateway", "healthy", seconds=OUTAGE_SECONDS)

    assert exceeded(priced_stack, secret)


@pytest.fixture
def refusing(priced_stack: Stack) -> Iterator[Stack]:
    """Yield the stack with a gateway that refuses while the database is away."""
    up = ("up", "--detach", "--no-build", "--wait", "gateway")
    priced_stack.compose(*up, DATABASE_DOWN_POLICY="refuse")
    yield priced_stack
    priced_stack.compose("start", "postgres")
    priced_stack.compose(*up)


def test_who_would_rather_stop_gets_503_while_the_database_is_away(refusing: Stack) -> None:
    """With refuse, a key in use is refused within seconds, and served again afterwards."""
    secret = key(refusing, 100 * COST)
    assert ask(refusing, secret).ok
    refusing.compose("stop", "postgres")

    until(
        lambda: ask(refusing, secret).status_code == HTTPStatus.SERVICE_UNAVAILABLE,
        seconds=30,
        what="the key to be refused",
    )
    refusing.compose("start", "postgres")

    until(lambda: ask(refusing, secret).ok, seconds=OUTAGE_SECONDS, what="the key to be served")

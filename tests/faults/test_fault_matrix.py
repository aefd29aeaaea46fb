"""Ten faults, three chains, plain and streamed, in rounds: always the same, and as expected."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from support.fault_matrix import CELLS, ROUNDS, Cell, configuration, key_of, script
from support.own_config import own_configuration
from support.scripted import ledger
from support.scripted import play as put_in_force
from support.stack import Stack
from support.wait import until

pytestmark = pytest.mark.long

CONNECT_SECONDS = 2
ANSWER_SECONDS = 3
PRICE = 100 * 0.15e-6 + 20 * 0.6e-6  # gpt-4o-mini, USD, of the tokens that the script counts
WAITING = {"blackhole", "slow", "500", "503"}
"""Faults that take their time: to be found out, or for the pause before a retry."""
BATCHES = [range(first, min(first + 5, ROUNDS)) for first in range(0, ROUNDS, 5)]
WARM_UP = Cell("well", "alone", stream=False)
SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
"""A request for JSON, for the fault that breaks it."""


@dataclass(frozen=True)
class Outcome:
    """What a caller saw of one request.

    Attributes:
        status: HTTP's.
        answered_by: "primary", "second" or "".
        ending: of a stream: "whole" or "error"; of a plain answer "".
        asked: how often the upstream was asked with the key of the primary, and of the second.
    """

    status: int
    answered_by: str
    ending: str
    asked: tuple[int, int]


@dataclass
class Round:
    """One request of a cell, with what is checked at the end."""

    cell: Cell
    number: int
    call_id: str
    status: int
    answered_by: str
    ending: str
    seconds: float
    error: dict[str, Any] | None
    retry_after: str | None


def configured(rounds: range) -> dict[str, str]:
    """Write the gateway's configuration for these rounds and return its stack's environment."""
    return own_configuration("fault_matrix", configuration(rounds))


@pytest.fixture(scope="module")
def matrix() -> Iterator[Stack]:
    """Yield a stack whose configuration has a deployment for each first round of every cell."""
    with Stack(
        {
            **configured(BATCHES[0]),
            "COMPOSE_PROFILES": "faults",
            "CONNECT_TIMEOUT": str(CONNECT_SECONDS),
            "REQUEST_TIMEOUT": str(ANSWER_SECONDS),
            "NUM_RETRIES": "1",
            "PROBE_CALLS": "off",  # or the upstream would be asked more often than by the requests
        }
    ) as running:
        running.compose("up", "--detach", "--no-build", "gateway", "scripted-upstream")
        running.wait_for("scripted-upstream", "healthy", seconds=60)
        running.wait_for("gateway", "healthy", seconds=180)
        put_in_force(running, script())
        yield running


def play(stack: Stack, key: str, cell: Cell, number: int) -> Round:
    """Make the request of one round and return what came back."""
    alias = cell.alias(number)
    body: dict[str, Any] = {
        "model": alias,
        "messages": [{"role": "user", "content": "Hallo"}],
        "stream": cell.stream,
    }
    if cell.fault == "badjson":
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "number", "schema": SCHEMA, "strict": True},
        }
    started = time.monotonic()
    with requests.post(
        f"{stack.gateway_url}/v1/chat/completions",
        json=body,
        headers={"Authorization": f"Bearer {key}"},
        stream=True,
        timeout=60,
    ) as answer:
        text = answer.text
    seconds = time.monotonic() - started
    by = answer.headers.get("x-gateway-alias", "") if answer.status_code == 200 else ""
    ending, error = read(answer.status_code, text, stream=cell.stream)
    return Round(
        cell=cell,
        number=number,
        call_id=answer.headers.get("x-litellm-call-id", ""),
        status=answer.status_code,
        answered_by={alias: "primary", f"{alias}-second": "second"}.get(by, by),
        ending=ending,
        seconds=seconds,
        error=error,
        retry_after=answer.headers.get("retry-after"),
    )


def read(status: int, text: str, *, stream: bool) -> tuple[str, dict[str, Any] | None]:
    """Return how a stream ended, and the error in OpenAI's form if there is one."""
    if status != 200:
        return "", json.loads(text)["error"]
    if not stream:
        assert json.loads(text)["choices"][0]["message"]["content"]
        return "", None
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data:")]
    errors = [json.loads(event)["error"] for event in events if event.startswith('{"error"')]
    if errors:
        return "error", errors[0]
    finished = any('"finish_reason":"stop"' in event for event in events)
    return ("whole" if finished and events[-1] == "[DONE]" else "silently short"), None


@pytest.fixture(scope="module")
def played(matrix: Stack) -> list[Round]:
    """Return every round of every cell, played: slow and quick ones at the same time.

    The gateway starts again for the next few rounds: it goes on checking the dead addresses of
    each, and hundreds of them would take the machine's time.
    """
    key = matrix.secret("backend_virtual_key")
    rounds: list[Round] = []
    for batch in BATCHES:
        if batch is not BATCHES[0]:
            configured(batch)
            matrix.compose("restart", "gateway")
            matrix.wait_for("gateway", "healthy", seconds=120)
        # Nobody's time for connecting is to be spent on what a start leaves to the first request.
        assert play(matrix, key, WARM_UP, batch[0]).status == 200
        with ThreadPoolExecutor(12) as waiting, ThreadPoolExecutor(4) as quick:
            futures = [
                pool.submit(play, matrix, key, cell, number)
                for number in batch
                for cell in CELLS
                for pool in [waiting if cell.fault in WAITING else quick]
            ]
            rounds.extend(future.result() for future in futures)
    return rounds


@pytest.fixture(scope="module")
def asked(matrix: Stack, played: list[Round]) -> Counter[str]:
    """Return how often the upstream was asked, by key, over all rounds."""
    assert played
    return Counter({row["key"]: row["requests"] for row in ledger(matrix)["rows"]})


def outcomes(played: list[Round], asked: Counter[str], cell: Cell) -> Counter[Outcome]:
    """Return the outcomes of a cell's rounds, each with how often it came."""
    found: Counter[Outcome] = Counter()
    for each in played:
        if each.cell == cell:
            alias = cell.alias(each.number)
            second = "well" if cell.chain == "backed" else cell.fault
            counts = asked[key_of(alias, cell.fault)], asked[key_of(f"{alias}-second", second)]
            found[Outcome(each.status, each.answered_by, each.ending, counts)] += 1
    return found


# How often a deployment with this fault is asked by one request.
ASKED = {
    "refused": 0,  # the port is not the upstream's: nothing arrives
    "blackhole": 0,
    "reset": 1,  # nobody there: asking again at once would cost time and change nothing
    "500": 2,  # NUM_RETRIES=1
    "503": 2,
    "429": 1,  # its Retry-After is honoured
    "401": 1,
    "slow": 1,
    "cut": 1,
    "badjson": 2,  # one attempt to repair it
}
STATUS_WITH_NOBODY_LEFT = {"429": 429, "badjson": 502}  # all others: 503


def expected(cell: Cell) -> Outcome:
    """Return what every round of a cell has to come to."""
    times = ASKED[cell.fault]
    if cell.fault == "cut" and cell.stream:  # after the first token nobody else can go on
        return Outcome(200, "primary", "error", (1, 0))
    if cell.chain == "backed":
        return Outcome(200, "second", "whole" if cell.stream else "", (times, 1))
    second = times if cell.chain == "down" else 0
    return Outcome(STATUS_WITH_NOBODY_LEFT.get(cell.fault, 503), "", "", (times, second))


def name_of(cell: Cell) -> str:
    """Return a cell's name for the test's id."""
    return cell.alias(0).rpartition("-")[0]


@pytest.mark.parametrize("cell", CELLS, ids=name_of)
def test_every_round_comes_to_the_same(
    played: list[Round], asked: Counter[str], cell: Cell
) -> None:
    """Status, deployment, the stream's end and the calls to each are the same in every round."""
    assert outcomes(played, asked, cell) == {expected(cell): ROUNDS}


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.chain != "backed"], ids=name_of)
def test_an_error_is_in_openais_form_and_in_words(played: list[Round], cell: Cell) -> None:
    """The message names the alias or the cut, never a library; a 429 or 503 says when to return."""
    for each in (each for each in played if each.cell == cell):
        assert each.error is not None
        assert each.error.keys() == {"message", "type", "param", "code"}
        message = each.error["message"]
        assert cell.alias(each.number) in message or "was cut off" in message
        assert "Traceback" not in message
        assert "aiohttp" not in message
        assert "Fallbacks are configured" not in message
        if each.status in {429, 503}:
            assert int(str(each.retry_after)) >= (20 if cell.fault == "429" else 1)


def test_a_fault_costs_no_more_time_than_its_own_bound(played: list[Round]) -> None:
    """A dropped connection costs CONNECT_TIMEOUT a deployment, silence REQUEST_TIMEOUT."""
    for each in played:
        deployments = 2 if each.cell.chain == "down" else 1
        own = {"blackhole": CONNECT_SECONDS, "slow": ANSWER_SECONDS}.get(each.cell.fault, 0)
        assert each.seconds >= own * deployments * 0.9, each
        # The rest is this machine's, with 16 callers at once; and the pause before a retry.
        assert each.seconds < own * deployments + 15, each


def test_every_answer_has_one_cost_row_and_no_failure_costs(
    matrix: Stack, played: list[Round]
) -> None:
    """An answered request is one row at its tokens' price; one that nobody answered is free."""
    sums: dict[str, tuple[int, float]] = {}

    def all_there() -> bool:
        rows = matrix.sql(
            """SELECT litellm_call_id AS call, count(*) AS n, sum(spend) AS spend
            FROM "LiteLLM_SpendLogs" WHERE status = 'success' GROUP BY 1"""
        )
        sums.update({row["call"]: (row["n"], row["spend"]) for row in rows})
        whole = [each for each in played if each.status == 200 and each.ending != "error"]
        missing = [each.call_id for each in whole if each.call_id not in sums]
        assert not missing, f"{len(missing)} of {len(whole)} rows are missing"
        return True

    until(all_there, seconds=60, what="the cost rows")
    for each in played:
        number, spend = sums.get(each.call_id, (0, 0.0))
        if each.status == 200 and each.ending != "error":
            assert number == 1, each
            assert spend == pytest.approx(PRICE, abs=1e-12), each
        elif each.status != 200 and each.cell.fault != "badjson":  # whose answers are paid for
            assert spend == 0, each

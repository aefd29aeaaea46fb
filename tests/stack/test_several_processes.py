"""GATEWAY_PROCESSES=2: one port, exact budgets, and no call lost or doubled when one dies."""

from __future__ import annotations

import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from support.scripted import SCRIPTED_PROVIDERS, ask, control, play
from support.stack import Stack
from support.wait import until

pytestmark = pytest.mark.long

SERVICES = ("gateway", "scripted-upstream")
COST = 8 * 0.15e-6 + 100 * 0.60e-6
ANSWER = {"input_tokens": 8, "output_tokens": 100}
STALL = {"name": "slow", "when": {"from": 1}, "do": {"stall": 1}}
SECONDS = 120

CALLS = """
SELECT litellm_call_id AS call FROM "LiteLLM_SpendLogs" AS l
JOIN "LiteLLM_VerificationToken" AS t ON l.api_key = t.token WHERE key_alias = %s
"""
SPEND = 'SELECT spend FROM "LiteLLM_VerificationToken" WHERE key_alias = %s'

KILL_ONE = """
import os, signal
from pathlib import Path
def serves(pid):
    return b"gateway\\0serve" in Path(f"/proc/{pid}/cmdline").read_bytes()
def parent(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
all = [each.name for each in Path("/proc").glob("[0-9]*") if serves(each.name)]
supervisor, = [pid for pid in all if parent(pid) == "1"]
os.kill(min(int(pid) for pid in all if parent(pid) == supervisor), signal.SIGKILL)
"""
METRICS = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9400').read().decode())"


@pytest.fixture(scope="module")
def two() -> Iterator[Stack]:
    """Yield a stack whose gateway is two processes."""
    with Stack(SCRIPTED_PROVIDERS | {"GATEWAY_PROCESSES": "2"}) as running:
        running.compose("up", "--detach", "--no-build", "--wait", *SERVICES)
        until(lambda: status(running) == "healthy", seconds=SECONDS, what="both to serve")
        play(running, {"answer": ANSWER})
        yield running


def status(stack: Stack) -> str:
    """Return what the gateway's health check prints, without what is said of LiteLLM's proxy."""
    said = stack.execute("gateway", "gateway", "health").strip()
    return "; ".join(part for part in said.split("; ") if "LiteLLM" not in part)


def key(stack: Stack, name: str, **fields: object) -> str:
    """Make a key and return its secret."""
    body = {"key_alias": name, **fields}
    made: str = stack.administer("POST", "/key/generate", json=body)["key"]
    return made


def rows(stack: Stack, name: str) -> list[str]:
    """Return the calls that are booked on a key."""
    return [row["call"] for row in stack.sql(CALLS, name)]


def spend(stack: Stack, name: str) -> float:
    """Return what a key has spent."""
    (row,) = stack.sql(SPEND, name)
    found: float = row["spend"]
    return found


def open_at_upstream(stack: Stack) -> list[dict[str, Any]]:
    """Return the requests that the upstream has not answered yet."""
    answer = requests.get(f"{control(stack)}/journal?ended=open", timeout=10)
    found: list[dict[str, Any]] = answer.json()["requests"]
    return found


def answered(stack: Stack) -> float:
    """Return how many requests the metrics count as answered."""
    text = stack.execute("gateway", "python", "-c", METRICS)
    return sum(
        float(found) for found in re.findall(r'gateway_requests_total\{.*"ok"\} (\S+)', text)
    )


def test_thirty_callers_share_one_budget(two: Stack, counted: Callable[[str], None]) -> None:
    """Asked at both at once, a budget is exceeded by less than one request; metrics agree."""
    name = f"shared-{secrets.token_hex(4)}"
    token = key(two, name, max_budget=12.5 * COST)
    before = answered(two)
    play(two, {"answer": ANSWER, "rules": [STALL]})

    with ThreadPoolExecutor(30) as pool:
        asked = pool.map(lambda _: ask(two, token, max_tokens=100).status_code, range(30))
        statuses = Counter(asked)

    play(two, {"answer": ANSWER})
    counted(f"answered {statuses[200]} of 30 at once by two processes, budget for 12.5")
    assert statuses == {requests.codes.ok: 13, requests.codes.too_many_requests: 17}
    until(lambda: len(rows(two, name)) >= 13, seconds=SECONDS, what="thirteen rows")
    assert spend(two, name) == pytest.approx(13 * COST)
    assert answered(two) - before == 13


def test_no_call_is_lost_or_doubled_when_one_is_killed(
    two: Stack, counted: Callable[[str], None]
) -> None:
    """A killed process is started again, the other answers meanwhile, and every cost is booked."""
    name = f"killed-{secrets.token_hex(4)}"
    token = key(two, name)
    calls: list[str] = []
    stopping = threading.Event()

    def load() -> None:
        while not stopping.is_set():
            try:
                answer = ask(two, token)
            except requests.RequestException:
                stopping.wait(0.1)  # it was with the one that died
                continue
            if answer.ok:
                calls.append(answer.headers["x-litellm-call-id"])

    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load) for _ in range(4)]
        try:
            until(lambda: len(calls) > 40, seconds=SECONDS, what="forty answers")
            two.execute("gateway", "python", "-c", KILL_ONE)
            reached = len(calls) + 20
            until(lambda: len(calls) > reached, seconds=SECONDS, what="twenty more of the other")
            until(lambda: status(two) == "healthy", seconds=SECONDS, what="both to serve again")
        finally:
            stopping.set()
    for each in loads:
        each.result()

    until(
        lambda: set(calls) <= set(rows(two, name)),
        seconds=SECONDS,
        what="the rows of what the killed one left",
    )
    booked = rows(two, name)
    counted(f"two processes, one killed: {len(calls)} answered, {len(booked)} rows")
    assert len(set(booked)) == len(booked)
    log = two.compose("logs", "gateway").stdout
    assert log.count("has ended (signal 9) and is started again") == 1
    booked_usd = two.sql(
        'SELECT coalesce(sum(l.spend), 0) AS usd FROM "LiteLLM_SpendLogs" AS l'
        ' JOIN "LiteLLM_VerificationToken" AS t ON l.api_key = t.token WHERE key_alias = %s',
        name,
    )[0]["usd"]
    assert spend(two, name) == pytest.approx(booked_usd, abs=1e-9)


def test_a_stop_drains_every_process(two: Stack) -> None:
    """A stop lets the requests of both processes end, and their costs are in the database."""
    name = f"drained-{secrets.token_hex(4)}"
    token = key(two, name)
    slow: dict[str, Any] = STALL | {"do": {"stall": 6}}
    play(two, {"answer": ANSWER, "rules": [slow]})

    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(ask, two, token) for _ in range(16)]
        until(lambda: len(open_at_upstream(two)) == 16, seconds=5, what="all requests to arrive")
        two.compose("stop", "gateway")
        assert {each.result().status_code for each in asked} == {requests.codes.ok}

    assert len(rows(two, name)) == 16
    assert two.inspect("gateway")["State"]["ExitCode"] == 0

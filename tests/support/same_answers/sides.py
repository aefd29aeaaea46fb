"""Both sides, asked the same at the same time."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import requests
import yaml

from support.prisma_engine import Database
from support.same_answers.asking import Outcome, ask
from support.same_answers.cases import Case
from support.same_answers.models import Model
from support.same_answers.outcome import DECIMALS
from support.same_answers.running import (
    KEY,
    LITELLM_SECONDS,
    JournalTail,
    LiteLLMTail,
    Process,
    gateway,
    plain_litellm,
    upstream,
)
from support.wait import until

T = TypeVar("T")
COOLDOWN_SECONDS = 90
ROW_SECONDS = 10


def soon(probe: Callable[[], T | None], seconds: float, what: str) -> T:
    """Return the probe's first true value; asks every few milliseconds, as rows come at once."""
    end = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < end, f"after {seconds} s still waiting for {what}"
        time.sleep(0.003)
    return found


class Sides:
    """The gateway and plain LiteLLM.

    Args:
        provider: the scripted upstream.
        ours: the gateway.
        theirs: plain LiteLLM.
    """

    def __init__(self, provider: Process, ours: Process, theirs: Process) -> None:
        self._provider = provider
        self._ours = ours
        self._theirs = theirs
        self._calls = (f"same-{secrets.token_hex(4)}-{number}" for number in itertools.count(1))
        self._threads = ThreadPoolExecutor(2)
        self._sessions = requests.Session(), requests.Session()
        self._control = requests.Session()
        self._journal = JournalTail(ours.folder / "journal")
        self._rows = LiteLLMTail(theirs.folder / "rows")
        self._turn: dict[str, int] = {}
        self._booked: dict[str, float] = {}

    def ask(self, case: Case) -> tuple[Outcome, Outcome]:
        """Ask both, and return what the gateway answered and what LiteLLM did."""
        alias = self._rested(case.model) if case.action else case.model.alias
        call = next(self._calls)
        self._play(case.script)
        self._journal.new_records()
        ours, theirs = self._threads.map(
            lambda session, side: ask(session, side.url, case, alias, call),
            self._sessions,
            (self._ours, self._theirs),
        )
        records = self._journal.new_records()
        ours.rows = [each.row for each in records]
        self._booked.update(
            (each.id, round(each.row.get("spend") or 0.0, DECIMALS)) for each in records
        )
        theirs.rows = self._rows_of(call, wait=theirs.is_whole)
        self._note_what_was_asked(ours, theirs)
        return ours, theirs

    def booked(self) -> dict[str, float]:
        """Return what the gateway has written into its journal: a record's id and its cost."""
        return dict(self._booked)

    def wait_for_worker(self) -> None:
        """Wait until the gateway's worker has imported LiteLLM's library."""
        until(
            lambda: self._ours.has_logged("the worker is ready"),
            seconds=LITELLM_SECONDS,
            what="the gateway's worker",
            alive=self._ours.alive,
        )

    def _play(self, script: dict[str, Any]) -> None:
        control = f"{self._provider.url}/_control"
        self._control.post(f"{control}/reset", timeout=10).raise_for_status()
        answer = self._control.put(f"{control}/script", data=yaml.safe_dump(script), timeout=10)
        assert answer.ok, answer.text

    def _note_what_was_asked(self, ours: Outcome, theirs: Outcome) -> None:
        found = self._control.get(f"{self._provider.url}/_control/journal", timeout=10).json()
        for side, outcome in (("gateway", ours), ("litellm", theirs)):
            outcome.asked = [
                {
                    "path": each["path"].removeprefix(f"/u/{each['upstream']}"),
                    "body": each["body"],
                }
                for each in found["requests"]
                if each["upstream"].startswith(side) and each["method"] == "POST"  # no health check
            ]

    def _rows_of(self, call: str, *, wait: bool) -> list[dict[str, Any]]:
        if not wait:
            return self._rows.rows_of(call)
        return soon(lambda: self._rows.rows_of(call), ROW_SECONDS, f"LiteLLM's row of {call}")

    def _rested(self, model: Model) -> str:
        """Return an alias that is not in cooldown: faults of one case are not the next one's."""
        start = self._turn.get(model.alias, 0)
        self._turn[model.alias] = start + 1
        order = [
            model.faulty[(start + step) % len(model.faulty)] for step in range(len(model.faulty))
        ]

        def found() -> str | None:
            page = self._control.get(
                f"{self._ours.url}/gateway/deployments",
                headers={"Authorization": f"Bearer {KEY}"},
                timeout=10,
            ).json()
            up = {each["alias"] for each in page["deployments"] if each["condition"] == "up"}
            return next((alias for alias in order if alias in up), None)

        return soon(found, COOLDOWN_SECONDS, f"one of {model.alias}'s deployments to be up again")

    def close(self) -> None:
        """Drop all connections."""
        self._threads.shutdown()
        for session in (*self._sessions, self._control):
            session.close()


@contextmanager
def both_sides(folder: Path, database: Database) -> Iterator[Sides]:
    """Start all three processes, LiteLLM while the gateway migrates its database."""
    with ExitStack() as stack:
        provider = stack.enter_context(upstream(folder / "upstream"))
        theirs = stack.enter_context(plain_litellm(folder / "litellm", provider.url))
        ours = stack.enter_context(gateway(folder / "gateway", provider.url, database))
        theirs.wait("/health/liveliness", LITELLM_SECONDS)
        sides = Sides(provider, ours, theirs)
        stack.callback(sides.close)
        sides.wait_for_worker()
        yield sides

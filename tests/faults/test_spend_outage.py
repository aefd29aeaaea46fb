"""The database away under load, and the journal's disk full: no answer is lost from the books."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from support.scripted import SCRIPTED_PROVIDERS, ask, play
from support.spending import Books, Load, Payer, load, make_payer, read_books
from support.stack import Stack
from support.wait import until

DOWN_ANSWERS = 150
APPLY_SECONDS = 60
GREEN_SECONDS = 60
FULL = "spend journal is full: its disk is full"
FULL_SECONDS = 90


def check_books(stack: Stack, payer: Payer, running: Load) -> Books:
    """Wait until each answer has a row; assert that none has two and that the totals are right."""

    def complete() -> Books | None:
        books = read_books(stack, payer)
        return books if books.rows_of_calls.keys() >= set(running.answered) else None

    books = until(complete, seconds=APPLY_SECONDS, what="a row for each answer")
    assert max(books.rows_of_calls.values()) == 1
    for name, total in books.totals.items():
        assert total == pytest.approx(books.spent, abs=1e-9), name
    return books


def test_answers_go_on_without_postgres_and_are_booked_after_it(
    spending: Stack, counted: Callable[[str], None]
) -> None:
    """Postgres stopped under load: nobody is refused, and afterwards all of it is in the books."""
    payer = make_payer(spending, "outage")
    play(spending, {})
    with load(spending, payer) as running:
        running.grew_by(20, seconds=30)  # a free model and a paid one, plain and streamed
        spending.compose("stop", "postgres")
        try:
            before, refused = len(running.answered), running.refused
            # LiteLLM by itself forgets a team's member after 5 s.
            running.grew_by(DOWN_ANSWERS, seconds=60)
            during = len(running.answered) - before
            assert running.refused == refused
        finally:
            spending.compose("start", "postgres")
        # So many answers take less time than the gateway's health check to turn red.
        spending.wait_for("postgres", "healthy", seconds=GREEN_SECONDS)
        spending.wait_for("gateway", "healthy", seconds=GREEN_SECONDS)
        running.grew_by(5, seconds=30)

    books = check_books(spending, payer, running)
    counted(
        f"Postgres down: {during} answered meanwhile, {len(running.answered)} in all, "
        f"{len(books.rows)} rows, 0 lost, 0 doubled"
    )


def test_a_full_disk_stops_loudly_and_loses_nothing(make_stack: Callable[..., Stack]) -> None:
    """503 with the reason and a red health while it is full; then it goes on by itself."""
    small = {
        "COMPOSE_FILE": "docker-compose.yml:tests/faults/small-disk.yml",
        "JOURNAL_MAX_MB": "4",
    }
    stack = make_stack(**SCRIPTED_PROVIDERS, **small)
    stack.compose("up", "--detach", "--no-build", "--wait", "gateway", "scripted-upstream")
    payer = make_payer(stack, "full")

    def refused() -> list[requests.Response]:
        answer = ask(stack, payer.secret)
        return [answer] if answer.status_code == requests.codes.unavailable else []

    with load(stack, payer) as running:
        running.grew_by(5, seconds=30)
        stack.compose("stop", "postgres")
        try:
            (answer,) = until(refused, seconds=FULL_SECONDS, what="the journal to be full")
            assert FULL in answer.text
            assert answer.headers["retry-after"]
            # An answer of /health may be a second old.
            until(lambda: FULL in requests.get(f"{stack.gateway_url}/health", timeout=10).text,
                  seconds=10, what="the health to say so, too")  # fmt: skip
        finally:
            stack.compose("start", "postgres")
        running.grew_by(20, seconds=GREEN_SECONDS)

    check_books(stack, payer, running)

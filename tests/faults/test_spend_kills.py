"""Whatever is killed, at whatever moment: each answer is one row, and the totals are their sums."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Callable

import psycopg
import pytest

from support.long import rounds
from support.scripted import FREE, PRICED, TRANSLATED, play
from support.spending import Books, Load, Payer, load, make_payer, read_books
from support.stack import LITELLM_SECONDS, Stack
from support.wait import until

pytestmark = pytest.mark.long

SEED = int(os.environ.get("KILL_SEED") or secrets.randbits(32))
MAX_ANSWERS = 25
"""The most answers between two kills."""

RECOVERY_SECONDS = 90
APPLY_SECONDS = 60

BAD_DAY = {
    "seed": SEED % 1000,
    "rules": [
        {"name": "falls back", "match": {"provider": "ollama"}, "when": {"rate": 0.3},
         "do": {"status": 503}},
        {"name": "breaks", "match": {"provider": "openai", "stream": True}, "when": {"rate": 0.1},
         "do": {"cut_after": 3}},
        {"name": "slow", "match": {"stream": True}, "when": {"rate": 0.2},
         "do": {"ms_per_token": 20}},
    ],
}  # fmt: skip

KILL_A_PART = """
import os, pathlib, signal, sys
for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if sys.argv[1].encode() in path.read_bytes().split(b"\\0"):
        os.kill(int(path.parent.name), signal.SIGKILL)
"""
"""Its own command line has the module's name too, and so it ends with the part."""


END_THE_APPLIER = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gateway-journal'
"""


def kill(stack: Stack, *services: str) -> None:
    """SIGKILL services at the same time, and start them again."""
    containers = [stack.container(service) for service in services]
    stack.command("docker", "kill", "--signal", "KILL", *containers)
    stack.command("docker", "start", *containers)


def kill_the_gateway(stack: Stack) -> None:
    """SIGKILL the gateway."""
    kill(stack, "gateway")


def kill_postgres(stack: Stack) -> None:
    """SIGKILL Postgres."""
    kill(stack, "postgres")


def kill_everything(stack: Stack) -> None:
    """SIGKILL all there is, as when the machine's power fails."""
    kill(stack, "postgres", "scripted-upstream", "gateway")

    def scripted() -> bool:
        play(stack, BAD_DAY)
        return True

    until(scripted, seconds=RECOVERY_SECONDS, what="the upstream")


def kill_litellm(stack: Stack) -> None:
    """SIGKILL the container of LiteLLM's proxy; the next request that needs it starts LiteLLM."""
    kill(stack, "litellm")


def kill_litellms_process(stack: Stack) -> None:
    """SIGKILL LiteLLM alone, should it run by now; who supervises it is to start it again."""
    kill_a_part(stack, "gateway.proxy.launcher", service="litellm")


def kill_the_applier(stack: Stack) -> None:
    """SIGKILL the process that brings the journal into the database."""
    kill_a_part(stack, "gateway.journal.applier")


def kill_the_worker(stack: Stack) -> None:
    """SIGKILL the process that has LiteLLM's library."""
    kill_a_part(stack, "gateway.worker.server")


def kill_a_part(stack: Stack, module: str, service: str = "gateway") -> None:
    """SIGKILL the process of a service that runs a module, if it runs by now."""
    stack.execute(service, "python", "-c", KILL_A_PART, module, check=False)


def kill_the_appliers_connection(stack: Stack) -> None:
    """End the journal's own session in the middle of what it does."""

    def end() -> bool:
        try:
            stack.sql(END_THE_APPLIER)
        except psycopg.OperationalError:
            return False  # Postgres still comes back from the kill before
        return True

    until(end, seconds=RECOVERY_SECONDS, what="Postgres")


ROUNDS: list[tuple[Callable[[Stack], None], int]] = [
    (kill_the_gateway, rounds(3, long=14)),
    (kill_everything, rounds(1, long=2)),
    (kill_postgres, rounds(2, long=10)),
    (kill_the_applier, rounds(2, long=10)),
    (kill_the_worker, rounds(2, long=6)),
    (kill_the_appliers_connection, rounds(2, long=10)),
    (kill_litellm, rounds(1, long=4)),
    (kill_litellms_process, rounds(1, long=4)),
]


@pytest.fixture(scope="module")
def payer(spending: Stack) -> Payer:
    """Give the key, team and user that pay."""
    return make_payer(spending, "kills")


def applied(stack: Stack, payer: Payer, running: Load) -> Books:
    """Return the books as soon as each answer has a row, or as they are after a minute."""

    def complete() -> Books | None:
        books = read_books(stack, payer)
        return books if books.rows_of_calls.keys() >= set(running.answered) else None

    try:
        return until(complete, seconds=APPLY_SECONDS, what="every row")
    except AssertionError:
        return read_books(stack, payer)


def test_no_kill_loses_or_doubles_a_cost(
    spending: Stack, payer: Payer, counted: Callable[[str], None]
) -> None:
    """Kills under load: streams, fallbacks, calls by LiteLLM; nothing lost, nothing doubled."""
    counted(f"KILL_SEED={SEED} plays these kills again")
    chance = random.Random(SEED)
    rounds = [kind for kind, count in ROUNDS for _ in range(count)]
    chance.shuffle(rounds)
    play(spending, BAD_DAY)

    models = (FREE, PRICED, TRANSLATED)
    with load(spending, payer, models=models, by_litellm=True) as running:
        for strike in rounds:
            running.grew_by(chance.randint(1, MAX_ANSWERS), seconds=RECOVERY_SECONDS)
            strike(spending)
        running.grew_by(MAX_ANSWERS, seconds=RECOVERY_SECONDS)
        came = len(running.answered_by_litellm)
        until(
            lambda: len(running.answered_by_litellm) > came,
            seconds=LITELLM_SECONDS,
            what="LiteLLM to answer once more",
        )

    books = applied(spending, payer, running)
    rows = books.rows_of_calls
    lost = [call for call in running.answered if call not in rows]
    doubled = [call for call in running.answered if rows[call] > 1]
    kinds = ", ".join(f"{count} {kind.__name__}" for kind, count in ROUNDS)
    counted(
        f"{len(rounds)} kills ({kinds}): {len(running.answered)} answered "
        f"({len(running.answered_by_litellm)} by LiteLLM), "
        f"{len(books.rows)} rows, {len(lost)} lost, {len(doubled)} doubled"
    )
    assert not lost
    assert not doubled
    for name, total in books.totals.items():
        assert total == pytest.approx(books.spent, abs=1e-9), name

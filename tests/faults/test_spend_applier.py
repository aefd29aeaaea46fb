"""Records into a real Postgres: once each, whatever is repeated, and the sums with them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import tuple_row

from gateway.journal.applier import Applier
from gateway.journal.record import Record
from gateway.journal.statements import apply_records
from support.spending import make_payer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.database.connection import Connection
    from support.spending import Payer
    from support.stack import Stack

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")

POOL = 6


@pytest.fixture(autouse=True, scope="module")
def no_calls_home() -> Iterator[None]:
    """LiteLLM, imported for its statements, asks nobody for its list of prices."""
    patch = pytest.MonkeyPatch()
    patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    yield
    patch.undo()


@pytest.fixture(scope="module")
def payer(spending: Stack) -> Payer:
    """Give the key that pays."""
    return make_payer(spending, "applier")


@pytest.fixture(scope="module")
def connection(spending: Stack) -> Iterator[Connection]:
    """Give a connection to LiteLLM's tables."""
    with spending.database() as connected:
        connected.row_factory = tuple_row  # type: ignore[assignment] # as the applier's
        yield connected  # type: ignore[misc] # as above


def record(payer: Payer, request_id: str, cost: float, **more: Any) -> Record:  # noqa: ANN401
    """Return the record of an answer."""
    day = {"date": "2026-01-01", "api_key": payer.token, "model": "m", "spend": cost}
    row = {
        "request_id": request_id,
        "call_type": "acompletion",
        "api_key": payer.token,
        "spend": cost,
        "startTime": "2026-01-01T10:00:00+00:00",
        "endTime": "2026-01-01T10:00:01+00:00",
        "metadata": {},
        "status": "success",
        **more,
    }
    return Record(
        row=row,
        spend=[("key", payer.token), ("team", payer.team)],
        daily={"user": [{**day, "user_id": payer.user, "api_requests": 1}]},
        model_usage={
            "date": "2026-01-01", "model_group": "g", "model": payer.token,
            "custom_llm_provider": "p", "task_type": "t", "spend": cost, "prompt_tokens": 1,
            "completion_tokens": 1, "successful": True,
        },
    )  # fmt: skip


def sums(connection: Connection, payer: Payer) -> list[float]:
    """Return the sum of the rows, and every total that should equal it."""
    found = connection.execute(
        """
        SELECT
          (SELECT coalesce(sum(spend), 0) FROM "LiteLLM_SpendLogs" WHERE api_key = %(token)s),
          (SELECT spend FROM "LiteLLM_VerificationToken" WHERE token = %(token)s),
          (SELECT total_spend FROM "LiteLLM_VerificationToken" WHERE token = %(token)s),
          (SELECT spend FROM "LiteLLM_TeamTable" WHERE team_id = %(team)s),
          (SELECT coalesce(sum(spend), 0) FROM "LiteLLM_DailyUserSpend" WHERE user_id = %(user)s),
          (SELECT coalesce(sum(spend), 0) FROM "LiteLLM_DailyModelUsage" WHERE model = %(token)s)
        """,
        payer.__dict__,
    ).fetchone()
    assert found is not None
    return [float(value) for value in found]


def growth(after: list[float], before: list[float]) -> list[float]:
    """Return by how much each sum grew."""
    return [later - earlier for later, earlier in zip(after, before, strict=True)]


BATCHES = st.lists(
    st.lists(st.integers(0, POOL - 1), min_size=1, max_size=5, unique=True), min_size=1, max_size=6
)


@settings(
    max_examples=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(batches=BATCHES, ids=st.lists(st.integers(0, 2), min_size=POOL, max_size=POOL))
def test_each_record_counts_once(
    connection: Connection, payer: Payer, batches: list[list[int]], ids: list[int]
) -> None:
    """Replays add nothing, and records that share a provider's id are all kept."""
    run = secrets.token_hex(4)
    pool = [record(payer, f"{run}-{shared}", 2.0**-n) for n, shared in enumerate(ids)]
    before = sums(connection, payer)
    applied: set[int] = set()
    for batch in batches:
        written = apply_records(connection, [pool[number] for number in batch])
        assert {entry.id for entry in written} == {pool[n].id for n in set(batch) - applied}
        applied |= set(batch)

    expected = sum(2.0**-number for number in applied)
    grown = [
        after - earlier for after, earlier in zip(sums(connection, payer), before, strict=True)
    ]
    assert grown == pytest.approx([expected] * len(grown), abs=1e-9)
    count = connection.execute(
        'SELECT count(*) FROM "LiteLLM_SpendLogs" WHERE request_id LIKE %s', [f"{run}-%"]
    ).fetchone()
    assert count == (len(applied),)


def test_a_failure_leaves_neither_rows_nor_sums(connection: Connection, payer: Payer) -> None:
    """One statement refused: nothing of the batch is there, not even its rows."""
    good, bad = record(payer, secrets.token_hex(8), 1.0), record(payer, secrets.token_hex(8), 1.0)
    bad.daily["user"][0]["date"] = "\0"
    before = sums(connection, payer)
    with pytest.raises(psycopg.Error):
        apply_records(connection, [good, bad])
    assert sums(connection, payer) == before


def test_what_postgres_refuses_is_booked_without_its_texts(
    connection: Connection, payer: Payer, tmp_path: Path
) -> None:
    """A row with a text that Postgres cannot take is kept with its cost; its neighbours whole."""
    said: list[str] = []
    name = secrets.token_hex(8)
    poisoned = record(payer, name, 0.5, response={"text": "\ud83d"})
    applier = Applier(None, "", tmp_path / "refused", lambda text, _: said.append(text))  # type: ignore[arg-type] # it is given batches directly
    applier._connection = connection
    before = sums(connection, payer)
    assert applier._try_to_apply([record(payer, f"{name}-n", 0.25), poisoned])
    grown = [
        after - earlier for after, earlier in zip(sums(connection, payer), before, strict=True)
    ]
    assert grown == pytest.approx([0.75] * len(grown))
    assert "lost its texts" in said[0]
    assert not (tmp_path / "refused").exists()

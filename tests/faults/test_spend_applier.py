"""Records into a real Postgres: once each, whatever is repeated, and the sums with them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import tuple_row

from gateway.journal.apply import apply_records
from gateway.journal.place import Place
from gateway.journal.reader import Batch
from gateway.journal.record import Record
from gateway.journal.refusals import REFUSED, apply_singly
from support.spending import make_payer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.database.connection import Connection
    from support.spending import Payer
    from support.stack import Stack

POOL = 6


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
    row = {
        "request_id": request_id,
        "call_type": "acompletion",
        "api_key": payer.token,
        "team_id": payer.team,
        "user": payer.user,
        "model": payer.token,
        "model_group": "g",
        "custom_llm_provider": "p",
        "spend": cost,
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "total_tokens": 2,
        "startTime": "2026-01-01T10:00:00+00:00",
        "endTime": "2026-01-01T10:00:01+00:00",
        "metadata": {},
        "status": "success",
        **more,
    }
    return Record(row)


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
        written = apply_records(connection, [pool[number] for number in batch], None, -1)
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
    bad.charged.append(("user", "\0"))
    before = sums(connection, payer)
    with pytest.raises(psycopg.Error):
        apply_records(connection, [good, bad], None, -1)
    assert sums(connection, payer) == before


def test_what_postgres_refuses_is_booked_without_its_texts(
    connection: Connection, payer: Payer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A row with a text that Postgres cannot take is kept with its cost; its neighbours whole."""
    name = secrets.token_hex(8)
    poisoned = record(payer, name, 0.5, request_tags=["\0"])
    batch = Batch(name, Place(0, 5), [record(payer, f"{name}-n", 0.25), poisoned])
    for at, each in enumerate(batch.records):
        each.at = at
    before = sums(connection, payer)
    apply_singly(connection, batch, tmp_path)
    assert growth(sums(connection, payer), before) == pytest.approx([0.75] * 6)
    assert "lost its texts" in caplog.text
    assert not (tmp_path / REFUSED).exists()

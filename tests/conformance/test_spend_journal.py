"""The spend journal on a real Postgres with LiteLLM's tables, compared with LiteLLM's own SQL."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.access.caller import Caller
from gateway.database.connection import Connection
from gateway.errors import RateLimitError, UnavailableError
from gateway.journal import statements
from gateway.journal.apply import apply_records
from gateway.journal.make_records import records_of
from gateway.journal.place import Place
from gateway.journal.reader import Batch
from gateway.journal.record import Record
from gateway.journal.refusals import REFUSED, apply_batch
from gateway.journal.spend_journal import SpendJournal
from gateway.journal.tables import (
    CALLER_ERRORS,
    DAILY,
    DAILY_COUNTERS,
    DAILY_KEY,
    DAILY_SPEND,
    FAILED_REQUESTS,
    REQUESTS,
    create_tables,
    written,
)
from gateway.journal.totals import totals_of
from support.prisma_engine import Database, create_litellm_database, drop_database
from support.spend_writer import COST
from unit.journal.requests_made import DEPLOYMENT, attempt, controls, request

POOL = 6
SEED = int(os.environ.get("KILL_SEED") or secrets.randbits(32))

SUMS = """
SELECT
  (SELECT coalesce(sum(spend), 0) FROM "LiteLLM_SpendLogs" WHERE api_key = %(key)s),
  (SELECT spend FROM "LiteLLM_VerificationToken" WHERE token = %(key)s),
  (SELECT total_spend FROM "LiteLLM_VerificationToken" WHERE token = %(key)s),
  (SELECT spend FROM "LiteLLM_UserTable" WHERE user_id = %(key)s || '-user'),
  (SELECT spend FROM "LiteLLM_TeamTable" WHERE team_id = %(key)s || '-team'),
  (SELECT spend FROM "LiteLLM_TeamMembership" WHERE team_id = %(key)s || '-team'),
  (SELECT coalesce(sum(spend), 0) FROM "LiteLLM_DailyUserSpend" WHERE api_key = %(key)s),
  (SELECT coalesce(sum(spend), 0) FROM "LiteLLM_DailyTeamSpend" WHERE api_key = %(key)s)
"""

MEMBERS = """
INSERT INTO "LiteLLM_UserTable" (user_id) VALUES (%(key)s || '-user');
INSERT INTO "LiteLLM_VerificationToken" (token) VALUES (%(key)s);
INSERT INTO "LiteLLM_TeamTable" (team_id, members_with_roles) VALUES (%(key)s || '-team',
    jsonb_build_array(jsonb_build_object('user_id', %(key)s || '-user')));
"""


@pytest.fixture(scope="module")
def spending() -> Iterator[Database]:
    """Give a database with LiteLLM's tables, by its own migrations, and the journal's."""
    made = create_litellm_database()
    with psycopg.connect(made.url, autocommit=True) as connection:
        create_tables(connection)
        create_tables(connection)
    yield made
    drop_database(made)


@pytest.fixture
def connection(spending: Database) -> Iterator[Connection]:
    """Give a connection to it."""
    with psycopg.connect(spending.url, autocommit=True) as connected:
        yield connected


@pytest.fixture
def key(connection: Connection) -> str:
    """Give a key with a user in a team."""
    name = secrets.token_hex(8)
    psycopg.ClientCursor(connection).execute(MEMBERS, {"key": name})
    return name


def answer(key: str, name: str, cost: float, at: int = -1, model: str = "m") -> Record:
    """Return the record of an answer."""
    caller = Caller(key_hash=key, user_id=f"{key}-user", team_id=f"{key}-team")
    given = attempt(cost=cost, response_id=name, deployment=replace(DEPLOYMENT, model=model))
    (record,) = records_of(request(given, caller=caller))
    record.at = at
    return record


def sums(connection: Connection, key: str) -> list[float]:
    """Return the sum of a key's rows, and every total that should equal it."""
    row = connection.execute(SUMS, {"key": key}).fetchone()
    assert row is not None
    return [float(value or 0) for value in row]


def position(connection: Connection, journal: str) -> int:
    """Return how far a journal is."""
    statement = "SELECT at FROM gateway_data.journal_position WHERE journal = %s"
    row = connection.execute(statement, [journal]).fetchone()
    return -1 if row is None else int(row[0])


BATCHES = st.lists(
    st.lists(st.integers(0, POOL - 1), min_size=1, max_size=5, unique=True), min_size=1, max_size=6
)


@settings(
    max_examples=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(batches=BATCHES, ids=st.lists(st.integers(0, 2), min_size=POOL, max_size=POOL))
def test_each_record_counts_once(
    connection: Connection, key: str, batches: list[list[int]], ids: list[int]
) -> None:
    """A record applied twice counts once, and records that share a provider's id are all kept."""
    run = secrets.token_hex(4)
    pool = [answer(key, f"{run}-{shared}", 2.0**-n, model=run) for n, shared in enumerate(ids)]
    before = sums(connection, key)
    applied: set[int] = set()
    for batch in batches:
        new = apply_records(connection, [pool[number] for number in batch], None, -1)
        assert {each.id for each in new} == {pool[n].id for n in set(batch) - applied}
        applied |= set(batch)
    expected = sum(2.0**-number for number in applied)
    after = sums(connection, key)
    grown = [later - sooner for later, sooner in zip(after, before, strict=True)]
    assert grown == pytest.approx([expected] * len(grown), abs=1e-12)
    rows = connection.execute(
        'SELECT count(*) FROM "LiteLLM_SpendLogs" WHERE request_id LIKE %s', [f"{run}-%"]
    ).fetchone()
    assert rows == (len(applied),)
    of_model = connection.execute(
        'SELECT coalesce(sum(spend), 0) FROM "LiteLLM_DailyModelUsage" WHERE model = %s',
        [f"openai/{run}"],
    ).fetchone()
    assert of_model == pytest.approx((expected,), abs=1e-12)


def test_position_and_spend_change_together(connection: Connection, key: str) -> None:
    """A journal's position and the spend of its records change together, with rows or without."""
    journal = secrets.token_hex(4)
    records = [answer(key, f"{journal}-{at}", 1.0, at) for at in (10, 20, 30)]
    for each in records:
        each.has_row = False
    assert apply_records(connection, records[:2], journal, 20) == records[:2]
    assert position(connection, journal) == 20
    assert apply_records(connection, records, journal, 30) == [records[2]]
    assert apply_records(connection, records[:1], journal, 10) == []
    assert position(connection, journal) == 30
    assert sums(connection, key)[1:] == [3.0] * 7
    assert sums(connection, key)[0] == 0


def test_a_failure_leaves_neither_rows_nor_totals_nor_a_position(
    connection: Connection, key: str
) -> None:
    """A batch of which PostgreSQL refuses a statement leaves no rows, totals or position."""
    journal = secrets.token_hex(4)
    good, bad = answer(key, f"{journal}-1", 1.0, 1), answer(key, f"{journal}-2", 1.0, 2)
    bad.charged.append(("user", "\0"))
    with pytest.raises(psycopg.Error):
        apply_records(connection, [good, bad], journal, 2)
    assert sums(connection, key) == [0.0] * 8
    assert position(connection, journal) == -1


def test_what_postgres_refuses_is_booked_without_its_texts(
    connection: Connection, key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A record that PostgreSQL refuses is booked without its texts, or else put aside."""
    journal = secrets.token_hex(4)
    records = [answer(key, f"{journal}-{n}", 2.0**-n, n) for n in range(3)]
    records[1].row["startTime"] = "no time"
    records[2].row["request_tags"] = ["a", "\0"]
    new = apply_batch(connection, Batch(journal, Place(0, 5), records), tmp_path)
    assert [record.id for record in new] == [records[0].id, records[2].id]
    assert sums(connection, key) == [1.25] * 8
    assert position(connection, journal) == 5
    assert "stored without them" in caplog.text
    assert (tmp_path / REFUSED).read_text().count("\n") == 1


def test_every_column_that_is_written_is_there(connection: Connection) -> None:
    """Every column that the journal writes exists in LiteLLM's migrations."""
    found = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public'"
    ).fetchall()
    wanted = {(table, column) for table, columns in written().items() for column in columns}
    assert wanted <= set(found)


def test_the_statements_for_members_are_litellms() -> None:
    """The statements for team members, and the lock before them, are LiteLLM's own."""
    from litellm.proxy.db import db_spend_update_writer as litellm

    assert statements.LOCK_TEAM == litellm._TEAM_ADVISORY_LOCK_SQL
    assert statements.ADD_TEAM_MEMBER_SPEND == litellm._TEAM_MEMBER_SPEND_SQL


@pytest.mark.parametrize("kind", list(DAILY))
def test_a_day_is_what_litellm_would_make_of_it(connection: Connection, kind: Any) -> None:
    """A day's rows are the same through the gateway's upsert as through LiteLLM's."""
    from litellm.proxy.db.daily_spend_bulk_upsert import (
        DAILY_SPEND_TABLES,
        build_bulk_upsert,
        merge_by_conflict_key,
    )

    from gateway.journal.apply import _add_totals

    entity = secrets.token_hex(4)
    caller = Caller(
        key_hash=entity, user_id=entity, team_id=entity, organization_id=entity,
        end_user_id=entity, agent_id=entity,
    )  # fmt: skip
    wishes = controls(tags=(entity,))
    records = [
        each
        for number in range(3)
        for each in records_of(
            request(attempt(cost=0.5**number, response_id=f"{entity}-{number}"),
                    caller=caller, controls=wishes)
        )
    ]  # fmt: skip
    totals = totals_of(records)
    table = DAILY_SPEND_TABLES[kind]
    assert (table.name, table.entity_id_column) == DAILY[kind]
    read = f'SELECT to_jsonb(t) FROM "{table.name}" AS t WHERE api_key = %s ORDER BY 1'

    def rows(statement: Any) -> list[dict[str, Any]]:
        unequal = {"id", "created_at", "updated_at"}
        found = connection.execute(statement, [entity]).fetchall()
        kept = [{k: v for k, v in row[0].items() if k not in unequal} for row in found]
        return sorted(kept, key=lambda row: str(row[table.entity_id_column]))

    for _ in range(2):
        _add_totals(connection, totals)
    ours = rows(read)
    connection.execute(f'DELETE FROM "{table.name}" WHERE api_key = %s'.encode(), [entity])
    names = (table.entity_id_column, *DAILY_KEY)
    entries = tuple(
        {
            **dict(zip(names, key, strict=True)),
            "model_group": day.model_group,
            "request_id": day.request_id,
            **dict(zip((*DAILY_COUNTERS, *DAILY_SPEND), day.sums, strict=True)),
        }
        for key, day in totals.daily[kind].items()
    )
    for _ in range(2):
        merged = merge_by_conflict_key(table=table, transactions=entries)
        psycopg.RawCursor(connection).execute(*build_bulk_upsert(table=table, batch=merged))
    assert ours == rows(read)
    assert ours


def test_failures_are_counted_as_litellm_would(connection: Connection) -> None:
    """The rows of failed requests are the same through the gateway's upserts as LiteLLM's."""
    from litellm.proxy.db.gateway_request_tracking import (
        build_gateway_requests_upsert,
    )
    from litellm.proxy.db.request_error_tracking import (
        build_request_errors_upsert,
    )
    from litellm.types.proxy.gateway_requests import (
        GatewayRequestCounts,
        GatewayRequestKey,
    )
    from litellm.types.proxy.request_errors import RequestErrorKey

    from gateway.journal.apply import _add_totals

    date = secrets.token_hex(4)  # a day of this test's own
    caller = Caller(key_hash="k", user_id="u", team_id="t")
    records = [
        *records_of(request(attempt(cost=None), caller=caller), error=UnavailableError("no")),
        *records_of(request(caller=caller), error=RateLimitError("no")),
        *records_of(request(caller=caller), error=RateLimitError("no")),
        *records_of(request(attempt(), caller=caller)),
    ]
    for record in records:
        record.row["startTime"] = date
    totals = totals_of(records)

    def rows() -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for table in (REQUESTS, FAILED_REQUESTS, CALLER_ERRORS):
            read = f"""SELECT to_jsonb(t) - 'created_at' - 'updated_at'
                FROM "{table}" AS t WHERE date = %s ORDER BY 1"""
            found += connection.execute(read.encode(), [date[:10]]).fetchall()
            connection.execute(f'DELETE FROM "{table}" WHERE date = %s'.encode(), [date[:10]])
        return found

    for _ in range(2):
        _add_totals(connection, totals)
    ours = rows()
    (route,) = totals.requests
    statuses = {503: (0, 1), 429: (0, 2), 200: (1, 0)}
    of_route = {
        GatewayRequestKey(*route, status_code=status): GatewayRequestCounts(
            successful_requests=succeeded, failed_requests=failed
        )
        for status, (succeeded, failed) in statuses.items()
    }
    of_caller = {
        RequestErrorKey(date[:10], "k", "t", "u", "alias", status): failed
        for status, (_, failed) in statuses.items()
    }
    cursor = psycopg.RawCursor(connection)
    for _ in range(2):
        cursor.execute(*build_gateway_requests_upsert(of_route))
        cursor.execute(*build_request_errors_upsert(of_caller))
    assert ours == rows()
    assert len(ours) == 5


def _killed_writer(chance: random.Random, folder: Path, url: str, key: str, mode: str) -> list[str]:
    """Run a writer, kill its applier and then it at random; return the ids that it gave out."""
    answered = []
    with (
        (folder.parent / f"{folder.name}.log").open("w+") as log,
        subprocess.Popen(
            [sys.executable, "-m", "support.spend_writer", str(folder), url, key, mode],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        ) as writer,
    ):
        assert writer.stdout is not None
        first = writer.stdout.readline()
        log.seek(0)
        assert first, log.read()
        applier = int(first)
        last = chance.randint(5, 120)
        for number, line in enumerate(writer.stdout):
            answered.append(line.strip())
            if number == last // 2 and chance.random() < 0.5:
                with suppress(ProcessLookupError):
                    os.kill(applier, signal.SIGKILL)
            if number >= last:
                break
        writer.kill()
        answered += [line.strip() for line in writer.stdout if line.endswith("\n")]
    return answered


@pytest.mark.parametrize("mode", ["rows", "totals"])
async def test_no_kill_loses_or_doubles_a_cost(
    spending: Database, connection: Connection, key: str, tmp_path: Path, mode: str
) -> None:
    """Killing gateways and appliers at random loses no cost and counts none twice."""
    chance = random.Random(SEED)
    answered: list[str] = []
    for _ in range(6):
        answered += _killed_writer(chance, tmp_path, spending.url, key, mode)

    journal = SpendJournal(tmp_path, 64, spending.url, sync=False)
    await journal.start()
    await journal.close()
    rows = connection.execute(
        'SELECT litellm_call_id, spend FROM "LiteLLM_SpendLogs" WHERE api_key = %s', [key]
    ).fetchall()
    booked, *totals = sums(connection, key)
    if mode == "rows":
        calls = [row[0] for row in rows]
        assert set(answered) <= set(calls), f"lost with KILL_SEED={SEED}"
        assert len(calls) == len(set(calls)), f"doubled with KILL_SEED={SEED}"
        assert totals == [booked] * len(totals)
    else:
        assert rows == []
        # What was written and not yet given out when the gateway died is paid, too: 6 at most.
        costs = [total / COST for total in totals]
        assert len(set(costs)) == 1
        assert len(answered) <= costs[0] <= len(answered) + 6, f"KILL_SEED={SEED}"


def test_whose_costs_were_brought_in_is_reported(
    spending: Database, connection: Connection, key: str, tmp_path: Path
) -> None:
    """A gateway learns of a dead one once the dead one's costs are in the database."""
    told: list[tuple[str, float]] = []

    def dies(journal: SpendJournal, cost: float) -> None:
        journal._journal.append(answer(key, secrets.token_hex(8), cost).encoded())
        journal._journal.close()
        journal._claim.release()

    def tell(dead: str) -> None:
        told.append((dead, sums(connection, key)[1]))

    async def main() -> tuple[str, str, str, str]:
        first = SpendJournal(tmp_path, 64, spending.url, sync=False)
        second = SpendJournal(tmp_path, 64, spending.url, sync=False)
        dies(first, 1.0)
        second.on_taken_over = tell
        await second.start()
        again = SpendJournal(tmp_path, 64, spending.url, sync=False)
        dies(again, 2.0)
        third = SpendJournal(tmp_path, 64, spending.url, sync=False)
        await third.start()
        for journal in (second, third):
            await journal.close()
        return first.journal_id, again.journal_id, again.predecessor, third.predecessor

    dead, killed, owner, predecessor = asyncio.run(main())

    assert told == [(dead, 1.0)]
    assert (owner, predecessor) == (dead, killed)
    assert sums(connection, key)[1] == 3.0

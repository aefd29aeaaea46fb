"""How much room a request's row takes on a real Postgres: what docs/scaling.md reckons with."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pytest

from gateway.access.caller import Caller
from gateway.journal.apply import apply_records
from gateway.journal.make_records import records_of
from gateway.journal.record import Record
from gateway.journal.tables import create_tables
from gateway.request import Usage
from support.prisma_engine import Database, create_litellm_database, drop_database
from unit.bench.capacity import CAPACITY
from unit.journal.requests_made import DEPLOYMENT, START, attempt, request

ROWS = 5_000
BATCH = 500
SIZE = """SELECT pg_total_relation_size('"LiteLLM_SpendLogs"')"""


@pytest.fixture
def empty() -> Iterator[Database]:
    """Give a database with LiteLLM's tables and no row."""
    made = create_litellm_database()
    with psycopg.connect(made.url, autocommit=True) as connection:
        create_tables(connection)
    yield made
    drop_database(made)


def answered(number: int, chance: random.Random) -> Record:
    """Return the record of a request as a stack has them: a key of a team, a model of a few."""
    person = f"user-{chance.randrange(200)}"
    caller = Caller(
        key_hash=f"{chance.randrange(200):064x}",
        key_name=f"key-of-{person}",
        user_id=person,
        team_id="team-0123456789abcdef",
        team_alias="Languages",
    )
    started = START + number * 0.05
    deployment = replace(DEPLOYMENT, model=chance.choice(("gpt-4o-mini", "gpt-4o", "llama3.2")))
    given = attempt(
        cost=chance.random() / 1000,
        usage=Usage(chance.randrange(50, 2000), chance.randrange(5, 800)),
        deployment=deployment,
        response_id=f"chatcmpl-{secrets.token_hex(16)}",
    )
    given.started_at = started
    made = request(given, caller=caller)
    made.id = secrets.token_hex(16)
    (record,) = records_of(made)
    record.at = number
    return record


def test_a_row_takes_what_the_capacity_reckons_with(
    empty: Database, counted: Callable[[str], None]
) -> None:
    """A row with its indexes takes within a quarter of the bytes that docs/capacity.py says."""
    chance = random.Random(7)
    records = [answered(number, chance) for number in range(ROWS)]
    with psycopg.connect(empty.url, autocommit=True) as connection:
        before = connection.execute(SIZE).fetchone()
        for first in range(0, ROWS, BATCH):
            batch = records[first : first + BATCH]
            apply_records(connection, batch, "journal", batch[-1].at)
        after = connection.execute(SIZE).fetchone()
    assert before is not None
    assert after is not None
    size = (after[0] - before[0]) / ROWS

    counted(f"a row takes {size:,.0f} bytes with its indexes")
    assert size == pytest.approx(CAPACITY.ROW_BYTES, rel=0.25)

"""What a journal says of itself while it is in use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest

from gateway.journal import applier as applier_module
from gateway.journal.applier import Applier
from gateway.journal.note import GivenUp
from gateway.journal.spend_journal import SpendJournal
from unit.journal.journals import MEGABYTE, Said, append, note, record, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = "postgresql://u:p@localhost/d"


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Returns whether the database is away, to be changed."""
    away: list[bool] = []

    def applied(_: object, records: object) -> object:
        if away:
            raise psycopg.OperationalError("away")
        return records

    monkeypatch.setattr(applier_module, "apply_records", applied)
    monkeypatch.setattr(Applier, "_connected", lambda _: None)
    return away


@pytest.fixture
def spend(tmp_path: Path, database: list[bool]) -> Iterator[SpendJournal]:
    """Yields a journal whose applier works when a test says so."""
    del database
    made = SpendJournal(tmp_path, 64, URL, Said(), sync=True)
    yield made
    made.close()


def test_what_waits_is_counted_until_it_is_in_the_database(
    spend: SpendJournal, database: list[bool]
) -> None:
    """Records, a note that was given up, bytes, the age of the oldest; no other note."""
    database.append(True)

    async def write() -> None:
        spend.journal.append_note(note(2).encoded())
        spend.journal.append_note(note(4).encoded())
        await spend.journal.append(GivenUp("4").encoded())
        for number in (1, 2, 3):
            await spend.journal.append(record(number).encoded())

    asyncio.run(write())
    spend._applier.catch_up(0)
    spend._applier.caught_up_at -= 100

    waiting = spend.state()
    database.clear()
    spend._applier.catch_up(0)
    done = spend.state()

    assert (waiting.waiting_records, waiting.stopped_because) == (4, None)
    assert waiting.waiting_bytes > 0
    assert waiting.oldest_waiting_seconds >= 100
    assert (done.waiting_records, done.waiting_bytes, done.oldest_waiting_seconds) == (0, 0, 0)
    assert done.max_bytes == 64 * MEGABYTE
    assert 0 < done.bytes < done.max_bytes


def test_what_an_earlier_gateway_left_is_not_taken_for_this_ones(
    tmp_path: Path, database: list[bool]
) -> None:
    """Records that the start brought into the database do not hide those that wait now."""
    del database
    (tmp_path / "1").mkdir()
    written(tmp_path / "1", Said(), [record(1), record(2)])
    spend = SpendJournal(tmp_path, 64, URL, Said(), sync=True)

    spend.recover(0)
    before = spend.state().waiting_records
    append(spend.journal, [record(3)])

    assert (before, spend.state().waiting_records) == (0, 1)
    spend.close()

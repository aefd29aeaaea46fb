"""`gateway journal import` on a real Postgres: once, in order, and honest about damage."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest

from gateway.access.caller import Caller
from gateway.database.connection import Connection
from gateway.journal import file_journal, segments
from gateway.journal.apply import apply_records
from gateway.journal.file_journal import Journal
from gateway.journal.import_files import Importer, JournalImportError
from gateway.journal.make_records import records_of
from gateway.journal.reader import JournalReader
from gateway.journal.record import Record
from gateway.journal.waiting import waiting_journals
from gateway.replicas import tables
from support.prisma_engine import Database, create_database, drop_database
from unit.journal.requests_made import DEPLOYMENT, attempt, request

COST = 2.0**-10
SMALL = 1 << 12
"""Bytes of a journal's file that holds a few records."""

TOTALS = """
SELECT (SELECT count(*) FROM "LiteLLM_SpendLogs" WHERE api_key = %(key)s),
       (SELECT spend FROM "LiteLLM_VerificationToken" WHERE token = %(key)s)
"""


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a journal begin a new file every few records."""
    monkeypatch.setattr(file_journal, "SEGMENT_BYTES", SMALL)


@pytest.fixture
def connection(migrated: Database) -> Iterator[Connection]:
    """Give a connection to it."""
    with psycopg.connect(migrated.url, autocommit=True) as connected:
        connected.execute("DELETE FROM gateway_data.replica")
        connected.execute("DELETE FROM gateway_data.lease")
        yield connected


@pytest.fixture
def key(connection: Connection) -> str:
    """Give a key that has spent nothing."""
    name = secrets.token_hex(8)
    connection.execute('INSERT INTO "LiteLLM_VerificationToken" (token) VALUES (%s)', [name])
    return name


@pytest.fixture
def importer(connection: Connection, tmp_path: Path) -> Importer:
    """Give an importer."""
    return Importer(connection, tmp_path)


def record(key: str, **fields: object) -> Record:
    """Return the record of an answer."""
    given = attempt(cost=COST, response_id=secrets.token_hex(8), deployment=replace(DEPLOYMENT))
    (made,) = records_of(request(given, caller=Caller(key_hash=key)))
    made.row |= {"endTime": datetime.now(timezone.utc).isoformat(), **fields}
    return made


def left_behind(folder: Path, records: list[Record]) -> tuple[str, list[Path]]:
    """Return the id and the files of a journal whose gateway was killed."""
    folder.mkdir()

    async def write() -> str:
        journal = Journal(folder, 256 * SMALL, sync=False)
        for each in records:
            journal.append(each.encoded())
        journal.close()
        return journal.id

    gateway = asyncio.run(write())
    return gateway, [segments.path_of(folder, number) for number in segments.numbers(folder)]


def totals(connection: Connection, key: str) -> tuple[int, float]:
    """Return how many rows a key has, and what it has spent."""
    row = connection.execute(TOTALS, {"key": key}).fetchone()
    assert row is not None
    return row[0], row[1]


def test_everything_is_brought_in_once(
    connection: Connection, importer: Importer, key: str, tmp_path: Path
) -> None:
    """All records of all files are in the database; a second import finds nothing new."""
    _, files = left_behind(tmp_path / "1", [record(key) for _ in range(20)])
    assert len(files) > 2

    found = [importer.apply(f"node/{path.name}", path.read_bytes()) for path in files]

    assert sum(each.records for each in found) == sum(each.new for each in found) == 20
    assert sum(each.usd for each in found) == 20 * COST
    assert totals(connection, key) == (20, 20 * COST)
    again = Importer(connection, tmp_path)
    assert [again.apply(path.name, path.read_bytes()).new for path in files] == [0] * len(files)
    assert totals(connection, key) == (20, 20 * COST)


def test_what_the_gateway_had_applied_itself_is_not_doubled(
    connection: Connection, importer: Importer, key: str, tmp_path: Path
) -> None:
    """Records that are in the database from before the gateway vanished count once."""
    _, files = left_behind(tmp_path / "1", [record(key) for _ in range(6)])
    reader = JournalReader(tmp_path / "1")
    copies = {path.name: path.read_bytes() for path in files}
    first = reader.next_batch()
    assert first is not None
    apply_records(connection, first.records, first.journal, first.end.at)

    found = [importer.apply(name, data) for name, data in copies.items()]

    assert sum(each.new for each in found) == 6 - len(first.records)
    assert totals(connection, key) == (6, 6 * COST)


def test_a_file_whose_predecessor_is_missing_is_refused(
    connection: Connection, importer: Importer, key: str, tmp_path: Path
) -> None:
    """A file that comes too early would hide the one before it, so it is refused by name."""
    _, (first, *others) = left_behind(tmp_path / "1", [record(key) for _ in range(20)])
    importer.apply(first.name, first.read_bytes())
    before = totals(connection, key)

    for early in (importer, Importer(connection, tmp_path)):
        with pytest.raises(JournalImportError, match=f"{others[1].name}: the files before it are"):
            early.apply(others[1].name, others[1].read_bytes())

    assert totals(connection, key) == before
    for path in others:
        importer.apply(path.name, path.read_bytes())
    assert totals(connection, key)[0] == 20


def test_damage_is_named_by_file_and_line(
    connection: Connection, importer: Importer, key: str, tmp_path: Path
) -> None:
    """A damaged line is named, and so is a cut-off end; every other record is brought in."""
    _, (path, *_) = left_behind(tmp_path / "1", [record(key) for _ in range(3)])
    lines = path.read_bytes().rstrip(b"\0").splitlines(keepends=True)
    broken = lines[1][:100] + b"#" + lines[1][101:]
    data = b"".join([lines[0], broken, *lines[2:], lines[1][:50]])

    found = importer.apply(f"lost/{path.name}", data)

    assert found.new == len(lines) - 2
    assert found.lines()[1:] == [
        f"lost/{path.name}, line 2: damaged, no record",
        f"lost/{path.name}: ends in an unfinished record, whose answer never left",
    ]
    assert totals(connection, key)[0] == found.new


@pytest.mark.parametrize("data", [b"", b"no journal\n", b"\0" * 100])
def test_what_is_no_journal_is_refused(importer: Importer, data: bytes) -> None:
    """A file without a journal's first line is refused by file and line."""
    with pytest.raises(JournalImportError, match=r"000000000001\.journal, line 1: does not name"):
        importer.apply("000000000001.journal", data)


def test_records_older_than_the_databases_memory_are_refused(
    connection: Connection, importer: Importer, key: str, tmp_path: Path
) -> None:
    """Records that the database may have forgotten it has are not brought in."""
    then = (datetime.now(timezone.utc) - timedelta(days=91)).isoformat()
    _, (path, *_) = left_behind(tmp_path / "1", [record(key, endTime=then)])
    with pytest.raises(JournalImportError, match="older than 90 days"):
        importer.apply(path.name, path.read_bytes())
    assert totals(connection, key)[0] == 0


def test_status_names_a_lost_gateway_until_its_journal_is_in(
    connection: Connection, importer: Importer, key: str, tmp_path: Path
) -> None:
    """A gateway that vanished is named, with what others know of its costs, until the import."""
    gateway, (path, *_) = left_behind(tmp_path / "1", [record(key)])
    connection.execute(
        "INSERT INTO gateway_data.replica (id, host, beat_at)"
        " VALUES (%s, 'node7', now() - interval '1 hour'), ('lives', 'node8', now())",
        [gateway],
    )
    connection.execute(
        "INSERT INTO gateway_data.lease VALUES ('key', %(key)s, %(id)s, 1, 0.25, 1, 1),"
        " ('team', 'team', %(id)s, 1, 0.25, 1, 1)",
        {"key": key, "id": gateway},
    )

    (waiting,) = waiting_journals(connection, tmp_path / "nothing is here")

    assert (waiting.gateway, waiting.host, waiting.usd) == (gateway, "node7", 0.25)
    assert f"gateway {gateway[:8]} on node7 has been silent since" in str(waiting)
    assert "at least 0.250000 USD" in str(waiting)
    importer.apply(path.name, path.read_bytes())
    importer.finish()
    assert waiting_journals(connection, tmp_path / "nothing is here") == []


def test_status_names_a_folder_that_waits(connection: Connection, key: str, tmp_path: Path) -> None:
    """Costs that wait on this volume are named once the oldest of them is late, with its time."""
    now = datetime.now(timezone.utc)
    late = (now - timedelta(hours=1)).isoformat()
    gateway, _ = left_behind(tmp_path / "1", [record(key, endTime=late), record(key)])
    (tmp_path / "1" / "owner").write_text(gateway)
    left_behind(tmp_path / "2", [record(key)])
    connection.execute(
        "INSERT INTO gateway_data.replica (id, host, beat_at)"
        " VALUES (%s, 'here', now() - interval '1 hour')",
        [gateway],
    )

    (waiting,) = waiting_journals(connection, tmp_path)

    assert (waiting.gateway, waiting.host) == (gateway, "here")
    assert waiting.since.isoformat() == late
    assert waiting.bytes is not None
    assert waiting.bytes > 1000


def test_a_restore_forgets_the_gateways_of_the_backup(
    connection: Connection, tmp_path: Path
) -> None:
    """After a restore no gateway of the backup is called lost, because its journal came with it."""
    connection.execute(
        "INSERT INTO gateway_data.replica (id, beat_at) VALUES ('then', now() - interval '1 h')"
    )
    assert [each.gateway for each in waiting_journals(connection, tmp_path)] == ["then"]
    connection.execute(tables.FORGET_ALL.encode())
    assert waiting_journals(connection, tmp_path) == []


def test_a_restore_of_an_old_backup_has_nothing_to_forget() -> None:
    """A backup from before there were several gateways is restored without their table."""
    old = create_database()
    with psycopg.connect(old.url, autocommit=True) as connection:
        connection.execute(tables.FORGET_ALL.encode())
    drop_database(old)

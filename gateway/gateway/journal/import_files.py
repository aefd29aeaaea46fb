"""Journal files of a gateway that will never return: read, checked, and brought into the database.

They come as a tar archive on standard input, because they are on the machine of whoever calls
`./run journal import`, and this runs in the gateway's container.
"""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import orjson
import psycopg

from gateway.database.connection import reason
from gateway.journal import statements
from gateway.journal.lines import Damage, Line, scan
from gateway.journal.place import Place, number_of
from gateway.journal.reader import BATCH_RECORDS, Batch
from gateway.journal.record import Record, decoded
from gateway.journal.refusals import apply_batch
from gateway.replicas import tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from gateway.database.connection import Connection

_NAME = re.compile(r"(\d{12})\.journal")


class JournalImportError(Exception):
    """A file cannot be brought in; the files before it are in the database."""


@dataclass
class Imported:
    """What became of one file.

    Attributes:
        name: the path of the file, as it was given.
        journal: the id of its journal.
        records: how many records it holds.
        new: how many of them were not in the database yet; `usd` is what these cost.
        damaged: the lines that are no records.
        is_cut_off: whether it ends in an unfinished record, whose answer never left.
    """

    name: str
    journal: str
    records: int = 0
    new: int = 0
    usd: float = 0.0
    damaged: list[int] = field(default_factory=list)
    is_cut_off: bool = False

    def lines(self) -> list[str]:
        """Return what people are told."""
        said = [f"{self.name}: {self.records} records, {self.new} of them new, {self.usd:.6f} USD"]
        said += [f"{self.name}, line {line}: damaged, no record" for line in self.damaged]
        if self.is_cut_off:
            said.append(f"{self.name}: ends in an unfinished record, whose answer never left")
        return said


def journal_files(archive: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each journal file of a tar archive, in its order.

    Raises:
        JournalImportError: it is no archive, or a file has another name than the journal gave it.
    """
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is None:
                    continue
                if _NAME.fullmatch(PurePosixPath(member.name).name) is None:
                    raise JournalImportError(
                        f"{member.name} is not named like a journal file, 000000000001.journal\n"
                        "    keep the names: they say in which order the files were written"
                    )
                yield member.name, content.read()
    except tarfile.TarError as error:
        raise JournalImportError(f"the files arrived incomplete: {error}") from error


class Importer:
    """Applies files, those of one journal in the order in which they were written.

    A journal's position in the database says that everything before it is there. So a file must
    not be applied while an earlier one of its journal is missing.

    Args:
        connection: a connection that commits each statement by itself.
        folder: where records are kept that Postgres refuses.
    """

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._last: dict[str, int] = {}

    def apply(self, name: str, data: bytes) -> Imported:
        """Apply a file. Records that are in the database already change nothing.

        Args:
            name: its path; the last part is its number.
            data: its content.

        Raises:
            JournalImportError: nothing of the file was applied; or the database refused to go on.
        """
        number = int(PurePosixPath(name).name.partition(".")[0])
        imported = Imported(name, _journal_of(name, data))
        try:
            batches = list(_batches(data, number, imported))
            self._check(imported, number, batches)
            for batch in batches:
                new = apply_batch(self._connection, batch, self._folder)
                imported.new += len(new)
                imported.usd += sum(record.cost for record in new)
        except psycopg.Error as error:
            raise JournalImportError(
                f"{name} is not whole in the database: {reason(error)}\n"
                "    import it again when the database answers; nothing is counted twice"
            ) from error
        return imported

    def finish(self) -> None:
        """Record that the gateways of these journals are gone, with nothing left to wait for."""
        for journal in self._last:
            self._connection.execute(tables.REMOVE_SILENT.encode(), {"dead": journal})

    def _check(self, imported: Imported, number: int, batches: list[Batch]) -> None:
        journal = imported.journal
        row = self._connection.execute(statements.POSITION, [journal]).fetchone()
        last = self._last.get(journal, -1 if row is None else number_of(row[0]))
        if last >= 0 and number > last + 1:
            raise JournalImportError(
                f"{imported.name}: the files before it are missing, from {last + 1:012d}.journal\n"
                "    name them too, or the folder that holds all of them"
            )
        oldest = batches[0].records[0].row.get("endTime") if batches else None
        if row is None and oldest is not None and _age(oldest) > statements.POSITIONS_KEPT:
            raise JournalImportError(
                f"{imported.name}: its records are older than {statements.POSITIONS_KEPT.days} days"
                ", for which the database remembers what it has\n"
                "    they may be in it already; nothing was imported"
            )
        self._last[journal] = max(number, last)


def _journal_of(name: str, data: bytes) -> str:
    first = next(iter(scan(data)), None)
    journal = None
    if isinstance(first, Line):
        fields = _fields(first)
        journal = fields.get("journal") if fields is not None else None
    if not isinstance(journal, str):
        raise JournalImportError(
            f"{name}, line 1: does not name the journal whose records follow\n"
            "    nothing of this file was imported; a file of version 0.1 is applied by a gateway "
            "that starts with its folder"
        )
    return journal


def _batches(data: bytes, number: int, imported: Imported) -> Iterator[Batch]:
    """Yield the records of a file; note damage in `imported`."""
    batch = Batch(imported.journal, Place(number, 0))
    for found in scan(data):
        record = None
        if isinstance(found, Damage):
            _note(imported, data, found)
        else:
            fields = _fields(found)
            if fields is not None and fields.get("journal") == imported.journal:
                continue
            record = _record(fields)
            if record is None:
                start = found.end - len(found.body)
                imported.damaged.append(_line(data, start))
        if record is not None:
            record.at = Place(number, found.end).at
            batch.records.append(record)
            batch.end = Place(number, found.end)
            imported.records += 1
        if len(batch.records) >= BATCH_RECORDS:
            yield batch
            batch = Batch(imported.journal, batch.end)
    if batch.records:
        yield batch


def _note(imported: Imported, data: bytes, damage: Damage) -> None:
    if damage.unfinished:
        imported.is_cut_off = True
    else:
        imported.damaged.append(_line(data, damage.start))


def _line(data: bytes, start: int) -> int:
    return data.count(b"\n", 0, start) + 1


def _fields(line: Line) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(line.body)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _record(fields: dict[str, Any] | None) -> Record | None:
    try:
        return None if fields is None else decoded(fields)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _age(text: str) -> timedelta:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return datetime.now(timezone.utc) - moment

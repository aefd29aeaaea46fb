"""Which journals wait to be brought into the database: whose, since when, how much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import orjson

from gateway.journal import segments
from gateway.journal.folder import owner_of
from gateway.journal.lines import Line, scan
from gateway.journal.place import is_header, stored_place
from gateway.replicas import tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.database.connection import Connection

LATE = timedelta(seconds=15)
"""A gateway that lives brings in each cost within a second or two."""

MIB = 1024**2


@dataclass(frozen=True)
class WaitingJournal:
    """A journal that waits.

    Attributes:
        gateway: the id of the gateway, which is that of its journal.
        host: the name of the machine or container that it ran in; "" when that is not known.
        since: the time of its oldest waiting cost, or the time since which the gateway is silent.
        bytes: how much waits; None for a journal that is not on this machine's volume.
        usd: the least that waits in it, as far as other gateways know; None when they do not.
    """

    gateway: str
    host: str
    since: datetime
    bytes: int | None = None
    usd: float | None = None

    def __str__(self) -> str:
        name = self.gateway[:8] + (f" on {self.host}" if self.host else "")
        since = f"{self.since:%Y-%m-%d %H:%M} UTC"
        if self.bytes is not None:
            return f"{self.bytes / MIB:.1f} MB of gateway {name} wait, the oldest since {since}"
        known = "" if self.usd is None else f", at least {self.usd:.6f} USD"
        return (
            f"gateway {name} has been silent since {since}, and its journal is not here{known}; "
            "if it will never return: ./run journal import --help"
        )

    def document(self) -> dict[str, Any]:
        """Return it for a JSON document."""
        return {
            "gateway": self.gateway,
            "host": self.host,
            "since": f"{self.since:%Y-%m-%dT%H:%M:%S}Z",
            "bytes": self.bytes,
            "usd": self.usd,
        }


def waiting_journals(connection: Connection, root: Path) -> list[WaitingJournal]:
    """Return the journals that wait longer than they should.

    Args:
        connection: a connection to a migrated database.
        root: the folder in which each gateway of this volume has its own.
    """
    silent = connection.execute(tables.SILENT.encode()).fetchall()
    hosts: dict[str, str] = dict(connection.execute(tables.HOSTS.encode()).fetchall())
    found, here = [], set()
    now = datetime.now(timezone.utc)
    for path in _folders(root):
        gateway = owner_of(path)
        here.add(gateway)
        size, oldest = _waiting(path)
        if oldest is not None and now - oldest > LATE:
            found.append(WaitingJournal(gateway, hosts.get(gateway, ""), oldest, size))
    found += [
        WaitingJournal(gateway, host, since.astimezone(timezone.utc), usd=usd)
        for gateway, host, since, usd in silent
        if gateway not in here
    ]
    return found


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if path.name.isdigit())


def _waiting(folder: Path) -> tuple[int, datetime | None]:
    """Return how many bytes of a folder are not known to be applied, and the time of the oldest."""
    size, oldest = 0, None
    for line in _unread(folder):
        size += len(line.body)
        if oldest is None:
            oldest = _time(line.body)
    return size, oldest


def _unread(folder: Path) -> Iterator[Line]:
    read = stored_place(folder)
    for number in segments.numbers(folder):
        if number < read.number:
            continue
        try:
            with segments.path_of(folder, number).open("rb") as file:
                file.seek(read.offset if number == read.number else 0)
                data = file.read()
        except FileNotFoundError:
            continue  # applied since
        for found in scan(data):
            if isinstance(found, Line) and not is_header(b"- " + found.body):
                yield found


def _time(body: bytes) -> datetime | None:
    """Return when a record's request ended; None for one that does not say."""
    try:
        moment = datetime.fromisoformat(orjson.loads(body)["row"]["endTime"].replace("Z", "+00:00"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)

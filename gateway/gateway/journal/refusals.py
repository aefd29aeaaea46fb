"""Records that Postgres refuses: whatever text a caller or provider sent, the cost is not lost."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from gateway.database.connection import reason
from gateway.journal.apply import apply_records
from gateway.journal.record import as_line

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.database.connection import Connection
    from gateway.journal.reader import Batch
    from gateway.journal.record import Record

LOG = logging.getLogger(__name__)

REFUSED = "refused.jsonl"

_TEXTS = ("messages", "response", "proxy_server_request", "request_tags", "metadata")
_DATA = (psycopg.DataError, psycopg.IntegrityError)
"""Postgres' errors for data that it cannot store; after any other, the batch is tried again."""


def apply_batch(connection: Connection, batch: Batch, folder: Path) -> list[Record]:
    """Apply a batch; if Postgres refuses its data, apply each record by itself.

    A record that is refused alone is applied without its texts. If even that is refused, it is
    kept in the folder, in the file REFUSED.

    Returns:
        The records that were not in the database yet, without the refused ones.

    Raises:
        psycopg.Error: an error other than refused data; what was applied by then stays.
    """
    try:
        return apply_records(connection, batch.records, batch.journal, batch.end.at)
    except _DATA:
        return _apply_singly(connection, batch, folder)


def _apply_singly(connection: Connection, batch: Batch, folder: Path) -> list[Record]:
    new: list[Record] = []
    for record in batch.records:
        error = _refusal(connection, record, batch.journal, new)
        if error is None:
            continue
        bare = _bare(record)
        if bare.row != record.row and _refusal(connection, bare, batch.journal, new) is None:
            LOG.warning(
                "Postgres refused the texts of a spend log, which was stored without them: %s",
                reason(error),
            )
            continue
        with (folder / REFUSED).open("ab") as file:
            file.write(as_line({"id": record.id, "row": record.row}) + b"\n")
        LOG.error(
            "Postgres refused a spend log (%s); it is kept in %s", reason(error), folder / REFUSED
        )
    apply_records(connection, [], batch.journal, batch.end.at)
    return new


def _refusal(
    connection: Connection, record: Record, journal: str | None, new: list[Record]
) -> psycopg.Error | None:
    """Apply a record and add it to `new` if it is; return the error if Postgres refuses it."""
    try:
        new += apply_records(connection, [record], journal, record.at)
    except _DATA as error:
        return error
    return None


def _bare(record: Record) -> Record:
    """Return the record with only the values that count towards costs and totals."""
    kept = {column: value for column, value in record.row.items() if column not in _TEXTS}
    plain = json.loads(json.dumps(kept).encode("ascii", "ignore"))
    return replace(record, row={**plain, "metadata": {}})

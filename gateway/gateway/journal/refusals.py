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


def apply_singly(connection: Connection, batch: Batch, folder: Path) -> None:
    """Apply each record of a batch by itself; if one is refused, apply it without its texts.

    Raises:
        psycopg.Error: an error other than refused data; what was applied by then stays.
    """
    for record in batch.records:
        at = record.at
        error = _refusal(connection, record, batch.journal, at)
        if error is None:
            continue
        bare = _bare(record)
        if bare.row != record.row and _refusal(connection, bare, batch.journal, at) is None:
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


def _refusal(
    connection: Connection, record: Record, journal: str | None, at: int
) -> psycopg.Error | None:
    try:
        apply_records(connection, [record], journal, at)
    except _DATA as error:
        return error
    return None


def _bare(record: Record) -> Record:
    """Return the record with only the values that count towards costs and totals."""
    kept = {column: value for column, value in record.row.items() if column not in _TEXTS}
    plain = json.loads(json.dumps(kept).encode("ascii", "ignore"))
    return replace(record, row={**plain, "metadata": {}})

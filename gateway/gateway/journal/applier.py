"""Brings the journal into the database, in a thread of its own."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg

from gateway.database.connection import reason
from gateway.database.url import for_psycopg
from gateway.journal.statements import apply_records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gateway.database.connection import Connection
    from gateway.journal.reader import Reader
    from gateway.journal.record import Record

LINGER_SECONDS = 0.1
"""Records that come within this time share a transaction."""

LOOK_SECONDS = 5.0
"""What could not be applied for a reason nobody thought of is tried again so often."""

FIRST_WAIT = 0.2
LONGEST_WAIT = 3.0
REFUSED = "refused.jsonl"

# A server that vanishes is noticed within seconds, not when TCP gives up after 15 minutes.
CONNECTION: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "gateway-journal",
}

# What Postgres says of data it cannot take; everything else is worth another try.
_DATA = (psycopg.DataError, psycopg.IntegrityError)


class Applier:
    """Applies what a reader reads.

    Args:
        reader: of the journal.
        url: of the database.
        say: writes an event for people to the log, with its level.
        refused: the file that keeps what Postgres will never take.

    Attributes:
        applied: called with the records that were new to the database.
        caught_up_at: when everything that stood in the journal was applied, by the monotonic clock.
    """

    def __init__(
        self,
        reader: Reader,
        url: str,
        refused: Path,
        say: Callable[[str, str], None],
    ) -> None:
        self.applied: Callable[[Sequence[Record]], None] = lambda _: None
        self.caught_up_at = time.monotonic()
        self._reader = reader
        self._url = for_psycopg(url)
        self._refused = refused
        self._say = say
        self._connection: Connection | None = None
        self._trouble = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def catch_up(self, seconds: float | None = None, *, last: bool = False) -> int:
        """Applies everything there is.

        Args:
            seconds: for so long it is tried when the database does not answer.
            last: whether nobody writes any more: a note that no record completed is applied too.

        Returns:
            How many records were applied.
        """
        count = 0
        until = None if seconds is None else time.monotonic() + seconds
        looked_at = time.monotonic()
        while (batch := self._reader.next_batch(last=last)) is not None:
            wait = FIRST_WAIT
            while not self._try_to_apply(batch.records):
                if (until is not None and time.monotonic() > until) or self._stop.wait(wait):
                    return count
                wait = min(wait * 2, LONGEST_WAIT)
            self._reader.done(batch)
            count += len(batch.records)
            looked_at = time.monotonic()
        self.caught_up_at = looked_at
        return count

    def start(self, appended: threading.Event) -> None:
        """Applies from now on, whenever `appended` is set."""

        def run() -> None:
            while not self._stop.is_set():
                appended.wait(LOOK_SECONDS)
                self._stop.wait(LINGER_SECONDS)
                appended.clear()
                self._survive(self.catch_up)

        self._thread = threading.Thread(target=run, name="journal-apply", daemon=True)
        self._thread.start()

    def stop(self, appended: threading.Event, seconds: float) -> None:
        """Ends the thread, and applies what is left within `seconds`."""
        self._stop.set()
        appended.set()
        if self._thread is not None:
            self._thread.join()
        self._stop.clear()
        self._survive(lambda: self.catch_up(seconds, last=True))
        self._drop_connection()

    def _survive(self, work: Callable[[], object]) -> None:
        """Does some work; what goes wrong is said, and tried again when the next record comes."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 -- the thread must live as long as the gateway
            self._say(f"the spend journal is not being applied: {error!r}", "ERROR")
            self._drop_connection()

    def _try_to_apply(self, records: Sequence[Record]) -> bool:
        """Applies a batch; returns whether it is done with."""
        try:
            written = apply_records(self._connected(), records)
        except _DATA as error:
            return self._apply_singly(records, error)
        except psycopg.Error as error:
            self._drop_connection()
            self._report(f"the spend journal waits for the database: {reason(error)}")
            return False
        self._report("")
        self.applied(written)
        return True

    def _apply_singly(self, records: Sequence[Record], error: psycopg.Error) -> bool:
        """Postgres refused one of several: each by itself, and the refused one without its texts.

        Whatever a provider or caller put in, the money is written down.
        """
        if len(records) > 1:
            return all(self._try_to_apply([record]) for record in records)
        bare = _bare(records[0])
        if bare.row != records[0].row:
            self._say(
                f"a spend row lost its texts, which Postgres refused: {reason(error)}", "WARNING"
            )
            return self._try_to_apply([bare])
        with self._refused.open("ab") as file:
            file.write(records[0].encoded() + b"\n")
        self._say(
            f"Postgres refused a spend row ({reason(error)}); it is kept in {self._refused}",
            "ERROR",
        )
        return True

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._url, autocommit=True, prepare_threshold=None, **CONNECTION
            )
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _report(self, trouble: str) -> None:
        if trouble and not self._trouble:
            self._say(trouble, "WARNING")
        elif self._trouble and not trouble:
            self._say("the spend journal is being applied again", "INFO")
        self._trouble = trouble


def _bare(record: Record) -> Record:
    """Returns the record with nothing but what is counted."""
    texts = {"messages", "response", "proxy_server_request", "request_tags", "metadata"}
    kept = {column: value for column, value in record.row.items() if column not in texts}
    plain = json.loads(json.dumps(kept).encode("ascii", "ignore"))
    return replace(record, row={**plain, "metadata": {}})

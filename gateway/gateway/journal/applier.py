"""The applier: a process that brings journals into the database, so that no request waits for it.

    python -m gateway.journal.applier FD

FD is a socket to its gateway. The first message from the gateway is the task (`messages.py`); later
ones say how far the gateway has written. The process ends when the gateway ends, for whatever
reason, but finishes a batch that is under way. That is harmless: the transaction of each batch also
stores the position up to which its journal is applied.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from gateway.database.connection import reason
from gateway.database.url import for_psycopg
from gateway.journal import statements
from gateway.journal.messages import Channel, ChannelHandler, Progress, Task
from gateway.journal.reader import JournalReader
from gateway.journal.refusals import apply_batch

if TYPE_CHECKING:
    from gateway.database.connection import Connection
    from gateway.journal.reader import Batch

LOG = logging.getLogger("gateway.journal.applier")

FIRST_WAIT = 0.2
MAX_WAIT = 3.0

NICE = 10
"""Where no core is free, the thread that answers requests comes first; see nice(2)."""

# A server that vanishes is noticed within seconds, not when TCP gives up after 15 minutes.
CONNECTION: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "gateway-journal",
}


class GatewayGoneError(Exception):
    """The gateway has ended, or wants the applier to end."""


class Applier:
    """Applies the journals of a task.

    Args:
        channel: the socket to the gateway.
        task: what to apply.
    """

    def __init__(self, channel: Channel, task: Task) -> None:
        self._channel = channel
        self._url = for_psycopg(task.url)
        self._own = JournalReader(Path(task.folder), task.tail)
        self._own_folder = Path(task.folder)
        self._left = [Path(folder) for folder in task.left]
        self._connection: Connection | None = None
        self._trouble = ""
        self._stop_at: float | None = None

    def run(self) -> None:
        """Apply existing and new records until the gateway is gone.

        Raises:
            GatewayGoneError: always, at the end.
        """
        while True:
            while self._left:
                self._empty(JournalReader(self._left[0]), self._left[0])
                self._channel.send(Progress(done_with=str(self._left.pop(0))))
            self._empty(self._own, self._own_folder)
            self._channel.send(Progress(place=self._own.place, is_idle=True))
            if self._stop_at is not None:
                raise GatewayGoneError
            self._listen(None)

    def _empty(self, reader: JournalReader, folder: Path) -> None:
        """Apply everything that a reader finds."""
        while (batch := reader.next_batch()) is not None:
            wait = FIRST_WAIT
            while not self._try_to_apply(batch, folder):
                self._listen(wait)
                self._end_if_late()
                wait = min(wait * 2, MAX_WAIT)
            reader.done(batch)
            is_own = reader is self._own
            self._channel.send(
                Progress(place=reader.place if is_own else None, records=len(batch.records))
            )
            self._listen(0)
            self._end_if_late()

    def _end_if_late(self) -> None:
        if self._stop_at is not None and time.monotonic() > self._stop_at:
            raise GatewayGoneError

    def _try_to_apply(self, batch: Batch, folder: Path) -> bool:
        """Apply a batch; return whether that succeeded."""
        try:
            apply_batch(self._connected(), batch, folder)
        except psycopg.Error as error:
            self._drop_connection()
            self._report(f"the spend journal waits for the database: {reason(error)}")
            return False
        self._report("")
        return True

    def _listen(self, seconds: float | None) -> None:
        """Receive the gateway's messages; wait up to `seconds` for one, None for no bound.

        Raises:
            GatewayGoneError: the gateway has closed the socket.
        """
        written = self._channel.receive(seconds)
        if written is None:
            raise GatewayGoneError
        if written.tail is not None:
            self._own.tail = written.tail
        self._left += [Path(folder) for folder in written.left]
        if written.stop_within is not None:
            self._stop_at = time.monotonic() + written.stop_within

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._url, autocommit=True, prepare_threshold=None, **CONNECTION
            )
            self._connection.execute(statements.FORGET_POSITIONS)
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _report(self, trouble: str) -> None:
        if trouble and not self._trouble:
            LOG.warning("%s", trouble)
        elif self._trouble and not trouble:
            LOG.info("the spend journal is being applied again")
        self._trouble = trouble


def main(descriptor: int) -> int:
    """Serve the gateway at the other end of a socket; return the exit code."""
    os.nice(NICE)
    channel = Channel(socket.socket(fileno=descriptor))
    logger = logging.getLogger("gateway")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(ChannelHandler(channel))
    try:
        task = channel.receive_task()
        if task is not None:
            Applier(channel, task).run()
    except (GatewayGoneError, BrokenPipeError, ConnectionError):
        return 0
    except Exception as error:  # noqa: BLE001 -- the gateway says it, and starts another
        LOG.error("the spend journal is not being applied: %r", error)  # noqa: TRY400 -- one line
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))

"""Ties the parts together: one object for the life of the gateway."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.failover.record import current_record
from gateway.journal.applier import REFUSED, Applier
from gateway.journal.folder import claim, claim_left_behind
from gateway.journal.hold import Hold
from gateway.journal.journal import Journal
from gateway.journal.reader import Reader
from gateway.journal.record import COUNTED
from gateway.journal.segments import used_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gateway.journal.hold import App
    from gateway.journal.note import Note
    from gateway.journal.record import Record
    from gateway.journal.writer import JournalWriter

STOP_SECONDS = 8.0
"""How long a gateway that stops tries to bring the rest into the database; the next start does."""


@dataclass(frozen=True)
class JournalState:
    """How the journal is.

    Attributes:
        folder: where this gateway's files are.
        bytes: what they take, the room made ahead too.
        max_bytes: what they may take.
        waiting_bytes: what is not in the database yet.
        waiting_records: how many records that is.
        oldest_waiting_seconds: the age of the oldest of them, to 5 s; 0 when there is none.
        stopped_because: why no request is taken; None as long as there is room.
    """

    folder: Path
    bytes: int
    max_bytes: int
    waiting_bytes: int
    waiting_records: int
    oldest_waiting_seconds: float
    stopped_because: str | None


class SpendJournal:
    """The journal of this gateway, in use.

    Args:
        root: where every gateway has its folder.
        max_mb: what this one's may take.
        url: of the database.
        say: writes an event for people to the log, with its level.
        sync: whether each record is flushed to the disk.
    """

    def __init__(
        self, root: Path, max_mb: int, url: str, say: Callable[[str, str], None], *, sync: bool
    ) -> None:
        self._say = say
        self._claim = claim(root)
        self._root = root
        self._url = url
        self.journal = Journal(self._claim.path, max_mb << 20, say, sync=sync)
        self._writer: JournalWriter | None = None
        self._before = 0  # records that an earlier gateway left here
        self._reader = Reader(
            self._claim.path,
            say,
            self._completed,
            lambda: self.journal.tail,
            self.journal.room_was_made,
        )
        self._applier = Applier(self._reader, url, self._claim.path / REFUSED, say)

    def recover(self, seconds: float) -> None:
        """Brings what earlier gateways left behind into the database, before any request.

        LiteLLM is imported, and does not serve yet.
        """
        count = 0
        for left in claim_left_behind(self._root):
            reader = Reader(left.path, self._say, self._completed)
            applier = Applier(reader, self._url, left.path / REFUSED, self._say)
            count += applier.catch_up(seconds, last=True)
            left.release()
        count += self._applier.catch_up(seconds, last=True)
        self._before = self._reader.records_read
        if count:
            self._say(
                f"{count} spend records of the journal were brought into the database", "INFO"
            )

    def install(self) -> None:
        """Takes the place of LiteLLM's writer; LiteLLM is imported, and does not serve yet."""
        import litellm  # noqa: PLC0415 -- imported long before
        from litellm.proxy import proxy_server  # noqa: PLC0415 -- as above

        from gateway.journal.accounting import Accounting, UnpricedLogger  # noqa: PLC0415 -- as above
        from gateway.journal.counted import (  # noqa: PLC0415 -- as above
            UsageCounter,
            mark_counted_streams,
        )

        writer = self._journal_writer()
        proxy_server.proxy_logging_obj.db_spend_update_writer = writer
        self._applier.applied = writer.applied
        Accounting(self.journal, _facts, self._say).watch()
        mark_counted_streams()
        for callback in (UsageCounter(), UnpricedLogger()):
            litellm.logging_callback_manager.add_litellm_callback(callback)
        self._applier.start(self.journal.appended)

    def held(self, app: App) -> Hold:
        """Returns LiteLLM's application with the end of each answer held for its record."""
        return Hold(
            app,
            _is_chargeable,
            lambda: self.journal.stopped_because,
            self.journal.flush,
            self._say,
        )

    def _journal_writer(self) -> JournalWriter:
        from litellm.proxy import proxy_server  # noqa: PLC0415 -- imported long before

        from gateway.journal.writer import JournalWriter  # noqa: PLC0415 -- imports LiteLLM

        if self._writer is None:
            replaced = proxy_server.proxy_logging_obj.db_spend_update_writer
            self._writer = JournalWriter(replaced, self.journal.append, _facts)
        return self._writer

    def _completed(self, note: Note) -> Record:
        """Returns the record of a note that is all there is; not to be called on an event loop."""
        return asyncio.run(self._journal_writer().record_of(note))

    def reasons(self) -> list[str]:
        """Returns why the gateway is not healthy."""
        reason = self.journal.stopped_because
        return [] if reason is None else [f"the spend journal is full: {reason}"]

    def state(self) -> JournalState:
        """Returns how the journal is now; may be called in any thread."""
        waiting = self._reader.pending_bytes()
        age = time.monotonic() - self._applier.caught_up_at
        return JournalState(
            folder=self._claim.path,
            bytes=used_bytes(self._claim.path),
            max_bytes=self.journal.max_bytes,
            waiting_bytes=waiting,
            waiting_records=max(0, self.journal.records - self._reader.records_read + self._before),
            oldest_waiting_seconds=age if waiting else 0.0,
            stopped_because=self.journal.stopped_because,
        )

    def close(self) -> None:
        """Writes what is left into the database, as far as it answers, and ends."""
        self._applier.stop(self.journal.appended, STOP_SECONDS)
        self.journal.close()
        self._claim.release()


def _is_chargeable(path: str) -> bool:
    from litellm.proxy.auth.route_checks import RouteChecks  # noqa: PLC0415 -- imported long before

    found: bool = RouteChecks.is_llm_api_route(path)
    return found


def _facts(call: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a row's metadata says beyond LiteLLM's own.

    What is not the provider's word (`unpriced`, `usage_counted`), who was asked before, and whose
    the call is when its id is not the request's, as of a repair.
    """
    payload = call.get("standard_logging_object")
    facts: dict[str, Any] = {}
    if payload is not None and payload.get("response_cost") is None:
        facts["unpriced"] = True
    if call.get(COUNTED):
        facts["usage_counted"] = True
    record = current_record()
    if record is not None and record.request_id not in ("", call.get("litellm_call_id")):
        facts["request_id"] = record.request_id
    if record is not None and len(record.attempts) > 1:
        facts["attempts"] = [
            {"alias": attempt.alias, "model": attempt.model, "outcome": attempt.outcome}
            for attempt in record.attempts
        ]
    return facts

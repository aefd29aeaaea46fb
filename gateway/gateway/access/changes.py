"""Follow changes in LiteLLM's tables: by notification, or by polling where none arrives.

A connection of its own listens. Every few seconds the gateway sends itself a notification through
its other connections. Its arrival shows that both sides are alive and that notifications arrive.
Behind PgBouncer in transaction mode they do not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any, Protocol

import orjson
import psycopg

from gateway.access.database import DatabaseAwayError
from gateway.database.triggers import CHANNEL, EVERYTHING, HAS_TRIGGERS, REPLICAS_CHANGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.access.database import Connection, Database

LOG = logging.getLogger(__name__)

TICK = 0.5
"""Seconds to wait for a notification before the connections are checked."""

PROBE_EVERY = 5.0
PROBE_SECONDS = 3.0
FIRST_PROBE_SECONDS = 1.0
"""The same at the start: shorter, because the start waits for it."""

POLL_SECONDS = 2.0
"""Seconds between reads; also for what other gateways spend, of which nothing notifies."""

TRY_LISTENING_EVERY = 60.0
RETRY_SECONDS = 0.5


class Follower(Protocol):
    """What is notified of changes."""

    def invalidate(self, row: tuple[str, ...]) -> None:
        """Take note that a row has changed."""

    def invalidate_all(self) -> None:
        """Take note that anything may have changed."""

    async def reload_used(self) -> None:
        """Read what is in use again; called every POLL_SECONDS s while no notifications arrive."""

    async def reload_if_others_spent(self) -> None:
        """Do so if other gateways have spent; called every POLL_SECONDS s while they arrive."""


class Changes:
    """Follows changes in the database for as long as `run` runs.

    Attributes:
        is_heard: whether notifications arrive, and the triggers that send them exist.
        replicas_changed: called when other gateways may have changed.
    """

    def __init__(self, database: Database, follower: Follower) -> None:
        self._database = database
        self._follower = follower
        self._name = secrets.token_hex(8)
        self._heard_at = 0.0
        self._sent_at = 0.0
        self.is_heard = False
        self.replicas_changed: Callable[[], None] = lambda: None
        self.tried = asyncio.Event()

    async def run(self) -> None:
        """Listen until cancelled, and connect again whenever the connection is lost."""
        while True:
            try:
                connection = await self._database.connect()
                try:
                    await self._follow(connection)
                finally:
                    connection.pgconn.finish()
            except DatabaseAwayError:
                pass
            except (psycopg.Error, OSError) as error:
                # The next connection shows whether the database is away or only this one broke.
                LOG.info("notifications stopped, connecting again: %s", error)
            except Exception:
                LOG.exception("following the database's changes failed; trying again")
            self.is_heard = False
            self._follower.invalidate_all()
            self.tried.set()
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self, connection: Connection) -> None:
        """Pass on changes until the connection breaks or falls silent."""
        await connection.execute(f"LISTEN {CHANNEL}".encode())
        self._heard_at = self._sent_at = 0.0
        passes = await self._passes(connection)
        has_triggers = await self._has_triggers()
        await self._follower.reload_if_others_spent()
        polled_at = time.monotonic()
        self._follower.invalidate_all()
        self.replicas_changed()
        self.is_heard = passes and has_triggers
        self.tried.set()
        if not self.is_heard:
            LOG.warning(
                "%s: polling keys every %g s instead",
                "the triggers of `gateway migrate` are missing"
                if passes
                else "the database's notifications do not arrive (PgBouncer in transaction mode?)",
                POLL_SECONDS,
            )
            await self._poll()
            return
        while True:
            await self._receive(connection, TICK)
            if not self._database.answers:
                return  # another connection found the database away: connect again to find out
            if self._sent_at > self._heard_at + PROBE_SECONDS:
                raise DatabaseAwayError("the gateway's own notification did not arrive")
            now = time.monotonic()
            if now - self._sent_at > PROBE_EVERY:
                await self._send()
            if now - polled_at > POLL_SECONDS:
                polled_at = now
                await self._follower.reload_if_others_spent()

    async def _passes(self, connection: Connection) -> bool:
        """Return whether a notification that another connection sends arrives here."""
        await self._send()
        end = time.monotonic() + FIRST_PROBE_SECONDS
        while not self._heard_at and time.monotonic() < end:
            await self._receive(connection, TICK, stop_after=1)
        return self._heard_at > 0

    async def _send(self) -> None:
        await self._database.fetch(
            "SELECT pg_notify(%(channel)s, %(name)s)", {"channel": CHANNEL, "name": self._name}
        )
        self._sent_at = time.monotonic()

    async def _has_triggers(self) -> bool:
        rows = await self._database.fetch(HAS_TRIGGERS, {})
        return bool(rows[0][0])

    async def _receive(
        self, connection: Connection, seconds: float, stop_after: int | None = None
    ) -> None:
        async with contextlib.aclosing(
            connection.notifies(timeout=seconds, stop_after=stop_after)
        ) as notifications:
            async for each in notifications:
                if each.payload == self._name:
                    self._heard_at = time.monotonic()
                else:
                    self._dispatch(each.payload)

    def _dispatch(self, payload: str) -> None:
        row = _row(payload)
        if row is not None:
            self._follower.invalidate(row)
        elif payload == EVERYTHING:
            self._follower.invalidate_all()
        elif payload == REPLICAS_CHANGED:
            self.replicas_changed()

    async def _poll(self) -> None:
        """Have everything in use read every POLL_SECONDS seconds, for TRY_LISTENING_EVERY seconds.

        Then `run` tries to listen again.
        """
        end = time.monotonic() + TRY_LISTENING_EVERY
        while time.monotonic() < end:
            await asyncio.sleep(POLL_SECONDS)
            await self._follower.reload_used()


def _row(payload: str) -> tuple[str, ...] | None:
    """Return the row that a notification names; None for any other notification."""
    try:
        parts: Any = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return tuple(map(str, parts)) if isinstance(parts, list) else None

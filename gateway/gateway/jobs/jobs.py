"""The schedule of the background jobs, and what /health reports about them."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import psycopg

from gateway.database.connection import reason
from gateway.jobs.backend_key import BackendKey, ensure
from gateway.jobs.budget_resets import reset_budgets
from gateway.jobs.election import Job, connect, elected
from gateway.jobs.retention import delete_old_rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.config.settings import Settings

LOG = logging.getLogger(__name__)

FIRST_WAIT = 0.5
MAX_WAIT = 30.0
MINUTE = 60.0
AFTER_THE_MINUTE = 0.2
"""Seconds, so that a budget that is due on the minute is past due."""


class Jobs:
    """Budget resets, retention and the backend's key.

    Every gateway may run them, but of the gateways of one database only one at a time does each
    job. While the database is away the jobs wait for it, with growing pauses, and disturb nothing
    else.

    Args:
        settings: the settings BACKEND_* and SPEND_RETENTION*.
        url: the URL of the database.
        aliases: the models that the backend's key may ask for.
        default_end_user_budget: litellm_settings.max_end_user_budget_id.
    """

    def __init__(
        self,
        settings: Settings,
        url: str,
        aliases: Sequence[str] = (),
        *,
        default_end_user_budget: str | None = None,
    ) -> None:
        self._settings = settings
        self._url = url
        self._default_end_user_budget = default_end_user_budget
        self._tasks: list[asyncio.Task[None]] = []
        secret = settings.backend_virtual_key
        self._key = None
        if secret is not None:
            self._key = BackendKey(
                secret.get_secret_value(),
                settings.backend_budget,
                settings.backend_budget_duration,
                tuple(aliases),
            )
        self._key_problem = "not written yet" if secret is not None else ""

    def reasons(self) -> list[str]:
        """Return why /health should report an error, one line each; [] when nothing is wrong."""
        if not self._key_problem:
            return []
        return [f"the backend's virtual key is not set up: {self._key_problem}"]

    async def start(self) -> None:
        """Start the jobs, without waiting for any of them."""
        jobs = [self._repeat("budget resets", self._reset_budgets, _until_next_minute)]
        if self._key is not None:
            jobs.append(self._write_backend_key(self._key))
        if self._settings.spend_retention is not None:
            jobs.append(self._keep_schedule(self._settings.spend_retention))
        self._tasks = [asyncio.ensure_future(job) for job in jobs]

    async def close(self) -> None:
        """Stop the jobs; the next run does what was not committed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _write_backend_key(self, key: BackendKey) -> None:
        async def write() -> None:
            async with await connect(self._url) as connection:
                LOG.info("backend key: %s", await ensure(connection, key, _now()))
            self._key_problem = ""

        def failed(error: Exception) -> None:
            self._key_problem = _words(error)

        await _until_done("backend key", write, failed)

    async def _reset_budgets(self) -> None:
        async with elected(self._url, Job.BUDGET_RESETS) as is_elected:
            if is_elected:
                async with await connect(self._url) as connection:
                    count = await reset_budgets(connection, _now(), self._default_end_user_budget)
                if count:
                    LOG.info("budgets reset: %d", count)

    async def _keep_schedule(self, retention: str) -> None:
        # Imported only if retention is set. LiteLLM reads such a schedule with the same class.
        from apscheduler.triggers.cron import (  # type: ignore[import-untyped]  # noqa: PLC0415 -- 40 ms
            CronTrigger,
        )

        schedule = CronTrigger.from_crontab(self._settings.spend_retention_cron, timezone="UTC")

        def until_next() -> float:
            now = _now()
            following = schedule.get_next_fire_time(None, now)
            return MINUTE if following is None else (following - now).total_seconds()

        async def delete() -> None:
            await self._delete_old_rows(retention)

        await asyncio.sleep(until_next())
        await self._repeat("retention", delete, until_next)

    async def _delete_old_rows(self, retention: str) -> None:
        async with elected(self._url, Job.RETENTION) as is_elected:
            if not is_elected:
                return
            started = time.monotonic()
            async with await connect(self._url) as connection:
                deleted = await delete_old_rows(connection, retention, _now())
            if deleted.rows:
                left = "" if deleted.is_all else ", the next run continues"
                took = time.monotonic() - started
                LOG.info("retention: %d rows deleted in %.0f s%s", deleted.rows, took, left)

    async def _repeat(
        self, name: str, job: Callable[[], Awaitable[None]], pause: Callable[[], float]
    ) -> None:
        while True:
            await _until_done(name, job)
            await asyncio.sleep(pause())


async def _until_done(
    name: str,
    job: Callable[[], Awaitable[None]],
    failed: Callable[[Exception], None] = lambda _: None,
) -> None:
    """Run a job until it succeeds, with growing pauses; log an error only when it changes."""
    wait, logged = FIRST_WAIT, ""
    while True:
        try:
            await job()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the job has to outlive it
            failed(error)
            words = _words(error)
            if words != logged:
                logged = words
                LOG.warning("%s: %s; trying again", name, words)
            await asyncio.sleep(wait)
            wait = min(2 * wait, MAX_WAIT)
        else:
            return


def _words(error: Exception) -> str:
    return reason(error) if isinstance(error, psycopg.Error) else str(error)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _until_next_minute() -> float:
    return MINUTE - time.time() % MINUTE + AFTER_THE_MINUTE

"""Whether the gateway can do its work: database, backend's key, models. Never a paid call."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FRESH_SECONDS = 1.0
"""How long an answer is reused; /health is open to all and must not load the database."""

PROBE_TIMEOUT = 2.0


class Proxy(Protocol):
    """What is asked of LiteLLM."""

    async def query_database(self) -> None:
        """Makes one query through LiteLLM's own connection; raises when it fails."""

    def model_names(self) -> Sequence[str]:
        """Returns the aliases that LiteLLM has loaded."""


@dataclass(frozen=True)
class Report:
    """The answer to /health.

    Attributes:
        reasons: why the gateway cannot do its work; empty when it can.
        models: how many aliases are loaded.
        database_answers: whether it does; None without one, and when nobody could ask.
    """

    reasons: tuple[str, ...]
    models: int
    database_answers: bool | None = None

    @property
    def status_code(self) -> int:
        """The HTTP status: 200 healthy, 503 not."""
        return 503 if self.reasons else 200

    def body(self) -> dict[str, object]:
        """Returns the JSON object that is answered."""
        if self.reasons:
            return {"status": "unhealthy", "reasons": list(self.reasons)}
        return {"status": "healthy", "models": self.models}


class Health:
    """Puts the parts together, and remembers the answer for a moment.

    Attributes:
        pending: what is still being set up, by part; empty when all is done.

    Args:
        proxy: LiteLLM.
        has_database: whether one is configured.
        more_reasons: returns what else makes the gateway unhealthy.
    """

    def __init__(
        self,
        proxy: Proxy,
        *,
        has_database: bool,
        more_reasons: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self.pending: dict[str, str] = {}
        self._more_reasons = more_reasons
        self._proxy = proxy
        self._has_database = has_database
        self._lock = asyncio.Lock()
        self._report: Report | None = None
        self._asked_at = 0.0

    async def report(self) -> Report:
        """Returns the state, at most a second old; one caller asks, the others wait for it."""
        async with self._lock:
            if self._report is None or time.monotonic() - self._asked_at > FRESH_SECONDS:
                self._report = await self._ask()
                self._asked_at = time.monotonic()
            return self._report

    async def _ask(self) -> Report:
        reasons: list[str] = []
        database_answers = None
        if self._has_database:
            reasons.extend(await self._database_reasons())
            database_answers = not reasons
        reasons.extend(self.pending.values())
        reasons.extend(self._more_reasons())
        models = len(self._proxy.model_names())
        if not models:
            reasons.append("no model is loaded")
        return Report(tuple(reasons), models, database_answers)

    async def _database_reasons(self) -> list[str]:
        try:
            await asyncio.wait_for(self._proxy.query_database(), PROBE_TIMEOUT)
        except (TimeoutError, asyncio.TimeoutError):  # two classes until Python 3.11
            return [f"the database does not answer within {PROBE_TIMEOUT:g} s"]
        except Exception as error:  # noqa: BLE001 -- whatever the client raises, the answer is no
            return [f"the database does not answer: {type(error).__name__}"]
        return []

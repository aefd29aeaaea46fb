"""GET /health: whether the gateway can do its work. It needs no key and never makes a paid call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Report:
    """The answer to /health.

    Attributes:
        reasons: why the gateway cannot do its work; empty when it can.
        models: how many aliases are loaded.
        degraded: what else does not work: LiteLLM's pages and other APIs.
        database_answers: whether the database answers; None without a database.
    """

    reasons: tuple[str, ...]
    models: int
    degraded: tuple[str, ...] = ()
    database_answers: bool | None = None

    @property
    def status_code(self) -> int:
        """The HTTP status: 200 healthy or degraded, 503 not."""
        return 503 if self.reasons else 200

    def body(self) -> dict[str, object]:
        """Return the JSON object of the answer."""
        if self.reasons:
            body: dict[str, object] = {"status": "unhealthy", "reasons": list(self.reasons)}
        else:
            body = {"status": "healthy", "models": self.models}
        if self.degraded:
            body["degraded"] = list(self.degraded)
        return body


class Health:
    """Collects what the parts already know about themselves; a report makes no calls.

    Args:
        models: how many aliases there are.
        database_answers: returns whether the database answers; None without a database.
        reasons: returns why the gateway cannot do its work.
        degraded: returns what else does not work.
    """

    def __init__(
        self,
        models: int,
        database_answers: Callable[[], bool | None],
        reasons: Callable[[], Sequence[str]],
        degraded: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._models = models
        self._database_answers = database_answers
        self._reasons = reasons
        self._degraded = degraded

    def report(self) -> Report:
        """Return the present state."""
        reasons = list(self._reasons())
        if not self._models:
            reasons.append("no model is loaded")
        degraded = tuple(self._degraded())
        return Report(tuple(reasons), self._models, degraded, self._database_answers())

"""How an alias failed to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.routing.failure import Refusal
from gateway.routing.selection import Obstacle

if TYPE_CHECKING:
    from gateway.routing.failure import Failure
    from gateway.routing.selection import Nobody


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """An alias that gave no answer; `failure`, `nobody` or `broken` says why.

    Attributes:
        alias: the alias.
        failure: the failure of its last attempt.
        nobody: why no deployment could be asked.
        broken: how its last answer broke the JSON schema, in words.
    """

    alias: str
    failure: Failure | None = None
    nobody: Nobody | None = None
    broken: str = ""

    @property
    def refusal(self) -> Refusal | None:
        """Why the request was refused, if that decides which fallbacks are tried."""
        if self.nobody is not None and self.nobody.obstacle is Obstacle.CONTEXT:
            return Refusal.CONTEXT_WINDOW
        return self.failure.refusal if self.failure is not None else None

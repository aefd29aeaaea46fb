"""How an alias failed to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.routing.failure import Refusal
from gateway.routing.selection import Obstacle

if TYPE_CHECKING:
    from gateway.routing.failure import Failure
    from gateway.routing.selection import NoDeployment


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """An alias that gave no answer; `failure`, `no_deployment` or `broken` says why.

    Attributes:
        alias: the alias.
        failure: the failure of its last attempt.
        no_deployment: why no deployment could be asked.
        broken: how its last answer broke the JSON schema, in words.
    """

    alias: str
    failure: Failure | None = None
    no_deployment: NoDeployment | None = None
    broken: str = ""

    @property
    def refusal(self) -> Refusal | None:
        """Why the request was refused, if that decides which fallbacks are tried."""
        if self.no_deployment is not None and self.no_deployment.obstacle is Obstacle.CONTEXT:
            return Refusal.CONTEXT_WINDOW
        return self.failure.refusal if self.failure is not None else None

"""The rooms that a request walks through, as the endpoints see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.access.access import Access
    from gateway.config.deployment import Models
    from gateway.http.asgi import App
    from gateway.journal.spend_journal import SpendJournal
    from gateway.limits.limits import Limits
    from gateway.request import Request
    from gateway.routing.router import Router


class Observer(Protocol):
    """Who is told of requests; on the event loop, so it must not take time."""

    def finished(self, request: Request, status: int) -> None:
        """Take note of a request that has ended, with the HTTP status that its caller got."""


@dataclass(frozen=True)
class Rooms:
    """What a request meets on its way.

    Attributes:
        models: everything that can be asked.
        access: knows who asks.
        limits: holds callers to their limits.
        router: finds who answers.
        journal: keeps costs; None without a database, when nothing is charged to anybody.
        proxy: LiteLLM's proxy, for what only that does; None where it does not run.
        observers: are told of each request that ended.
    """

    models: Models
    access: Access
    limits: Limits
    router: Router
    journal: SpendJournal | None
    proxy: App | None
    observers: Sequence[Observer] = ()

"""The rooms that a request passes through, as the endpoints use them."""

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
    """Is notified of each request; it runs on the event loop, so it must be quick."""

    def finished(self, request: Request, status: int) -> None:
        """Record a request that has ended, with the HTTP status that its caller got."""


@dataclass(frozen=True)
class Rooms:
    """The rooms that a request passes through.

    Attributes:
        models: the configured models.
        access: identifies callers.
        limits: holds callers to their limits.
        router: finds a deployment that answers.
        journal: keeps costs; None without a database, when no costs are charged.
        proxy: LiteLLM's proxy, for what only it does; None where it does not run.
        observers: notified of each request that has ended.
    """

    models: Models
    access: Access
    limits: Limits
    router: Router
    journal: SpendJournal | None
    proxy: App | None
    observers: Sequence[Observer] = ()

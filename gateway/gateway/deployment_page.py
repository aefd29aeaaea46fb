"""GET /gateway/deployments: how each deployment is, for whoever holds the master key.

With ?look=true each is looked at first, at an endpoint that costs nothing.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from gateway.reach import look

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.failover.registry import Member
    from gateway.front import App, Message, Receive, Send

PATH = "/gateway/deployments"
LOOK_SECONDS = 3.0


class Deployments(Protocol):
    """What is asked of failover."""

    @property
    def registry(self) -> Iterable[Member]:
        """The deployments."""

    def status(self) -> list[dict[str, Any]]:
        """Returns one entry for each deployment, in the registry's order."""


class DeploymentPage:
    """An ASGI application that answers for one path and hands on the rest.

    Args:
        app: what comes behind it.
        failover: knows the deployments.
        master_key: what the caller has to show. None lets everybody ask; the gateway starts
            without one only on loopback, where LiteLLM's own pages are open as well.
    """

    def __init__(self, app: App, failover: Deployments, master_key: str | None) -> None:
        self._app = app
        self._failover = failover
        self._master_key = master_key

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers, or hands on."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("GET", PATH):
            await self._app(scope, receive, send)
            return
        from starlette.responses import JSONResponse  # noqa: PLC0415 -- LiteLLM has imported it

        status, content = await self.answer(scope)
        await JSONResponse(content, status, {"cache-control": "no-store"})(scope, receive, send)

    async def answer(self, scope: Message) -> tuple[int, dict[str, Any]]:
        """Returns the HTTP status and the JSON object; no key is ever part of it."""
        if not self._may_ask(scope):
            return 401, {"error": {"message": "this page wants the master key", "code": "401"}}
        members = list(self._failover.registry)
        entries = [
            entry | {"provider": member.target.provider, "has_key": member.target.key is not None}
            for member, entry in zip(members, self._failover.status(), strict=True)
        ]
        if scope.get("query_string") == b"look=true":
            async with httpx.AsyncClient(timeout=LOOK_SECONDS) as client:
                seen = await asyncio.gather(*(look(member.target, client) for member in members))
            for entry, found in zip(entries, seen, strict=True):
                entry |= {"reachable": found.reachable.value, "context": found.context}
        return 200, {"deployments": entries}

    def _may_ask(self, scope: Message) -> bool:
        if self._master_key is None:
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, b"Bearer " + self._master_key.encode())

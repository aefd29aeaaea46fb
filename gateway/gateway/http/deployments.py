"""GET /gateway/deployments: the state of each deployment, for holders of the master key.

With ?check=true each deployment first gets a health check, at an endpoint that costs nothing.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

from gateway.http.asgi import answer_json

if TYPE_CHECKING:
    from gateway.http.asgi import Message, Send
    from gateway.routing.router import Router

CHECK_SECONDS = 3.0
_NO_STORE = (b"cache-control", b"no-store")


class DeploymentPage:
    """Answers for one path.

    Args:
        router: knows the deployments.
        master_key: the key that the caller has to send. None admits every caller; the gateway
            starts without a master key only on loopback.
    """

    def __init__(self, router: Router, master_key: str | None) -> None:
        self._router = router
        self._master_key = master_key

    async def __call__(self, scope: Message, send: Send) -> None:
        """Answer; the answer never contains a key."""
        if not self._may_ask(scope):
            error = {"message": "this page requires the master key", "code": "401"}
            await answer_json(send, 401, {"error": error}, [_NO_STORE])
            return
        entries = self._entries()
        if scope.get("query_string") == b"check=true":
            await self._check(entries)
        await answer_json(send, 200, {"deployments": entries}, [_NO_STORE])

    def _entries(self) -> list[dict[str, Any]]:
        deployments = (deployment for deployment, _ in self._router.states)
        return [
            entry
            | {
                "provider": each.provider,
                "has_key": each.key is not None,
                "input_cost_per_token": each.price.get("input_cost_per_token"),
                "output_cost_per_token": each.price.get("output_cost_per_token"),
                "max_input_tokens": each.max_input_tokens,
            }
            for each, entry in zip(deployments, self._router.status(), strict=True)
        ]

    async def _check(self, entries: list[dict[str, Any]]) -> None:
        from gateway.routing.reachability import check_all  # noqa: PLC0415 -- only for this page

        seen = await check_all([each for each, _ in self._router.states], CHECK_SECONDS)
        for entry, found in zip(entries, seen, strict=True):
            entry |= {"reachable": found.reachable.value, "context": found.context}

    def _may_ask(self, scope: Message) -> bool:
        if self._master_key is None:
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, b"Bearer " + self._master_key.encode())

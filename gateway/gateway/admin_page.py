"""LiteLLM's admin page at /ui: asks nobody but this gateway, or is not there at all.

What is here was looked up in the source of LiteLLM 1.106.2. Its own DISABLE_ADMIN_UI hides the form
of the page and still lets whoever posts a password sign in (proxy_server.py, /login and /v2/login).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.front import App, Message, Receive, Send

PAGE = "/ui"
OF_THE_PAGE = (
    PAGE,
    "/_next",  # its scripts and styles
    "/litellm-asset-prefix",  # the same
    "/login",
    "/v2/login",
    "/v3/login",
    "/fallback/login",
    "/sso",
    "/onboarding",  # invitations, which end in a session
)
"""Where a session of the page begins, and what the page is made of."""

LATEST_RELEASE = "/get/latest_release_info"
"""LiteLLM asks api.github.com for it each time the page is opened."""

# Scripts stand in the page itself (Next.js), so that inline ones cannot be forbidden.
CONTENT_POLICY = (
    b"default-src 'self' data: blob: 'unsafe-inline'; "
    b"object-src 'none'; base-uri 'self'; form-action 'self'"
)
"""What a browser lets the page load and send to: nothing but its own gateway."""

SWITCHED_OFF = "the admin page is switched off: DISABLE_ADMIN_UI"
WITHOUT_DATABASE = (
    "the admin page wants a database: set DATABASE_URL, or start_litellm.sh --with-costs"
)


class AdminPage:
    """Wraps LiteLLM's application.

    Args:
        app: LiteLLM's.
        off: why there is no admin page, for the answer; None when there is one.
    """

    def __init__(self, app: App, off: str | None) -> None:
        self._app = app
        self._off = off

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hands on, or answers 404 when the page is off."""
        path = scope.get("path", "") if scope["type"] == "http" else ""
        if path == LATEST_RELEASE:  # as when GitHub is out of reach
            await _answer(send, 200, None)
        elif self._off is not None and _is_below(path, OF_THE_PAGE):
            await _answer(send, 404, {"error": {"message": self._off, "code": "404"}})
        elif _is_below(path, (PAGE,)):
            await self._app(scope, receive, _with_policy(send))
        else:
            await self._app(scope, receive, send)


def reason_off(*, disabled: bool, has_database: bool) -> str | None:
    """Returns why there is no admin page, or None when there is one."""
    if disabled:
        return SWITCHED_OFF
    return None if has_database else WITHOUT_DATABASE


def _is_below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)


def _with_policy(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"content-security-policy", CONTENT_POLICY)]
            message = {**message, "headers": headers}
        await send(message)

    return sent


async def _answer(send: Send, status: int, content: object) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})

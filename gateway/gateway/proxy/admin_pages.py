"""LiteLLM's admin page at /ui: asks nobody but this gateway, or is not there at all.

LiteLLM's own DISABLE_ADMIN_UI hides the form of the page and still lets whoever posts a password
sign in (proxy_server.py of 1.108.7, /login and /v2/login).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Send = Callable[[Message], Awaitable[None]]

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

# Scripts are in the page itself (Next.js), so inline ones cannot be forbidden.
CONTENT_POLICY = (
    b"default-src 'self' data: blob: 'unsafe-inline'; "
    b"object-src 'none'; base-uri 'self'; form-action 'self'"
)
"""What a browser lets the page load and send to: nothing but its own gateway."""

SWITCHED_OFF = "the admin page is switched off: DISABLE_ADMIN_UI"
WITHOUT_DATABASE = (
    "the admin page requires a database: set DATABASE_URL, or start_litellm.sh --with-costs"
)


def reason_off(*, disabled: bool, has_database: bool) -> str | None:
    """Return why there is no admin page, or None when there is one."""
    if disabled:
        return SWITCHED_OFF
    return None if has_database else WITHOUT_DATABASE


def is_page(path: str) -> bool:
    """Return whether a path is one of the page's own documents."""
    return is_below(path, (PAGE,))


async def answer(scope: Message, send: Send, off: str | None) -> bool:
    """Answer what LiteLLM is not asked for; return whether it was that.

    Args:
        scope: of the request.
        send: of the request.
        off: why there is no page; None when there is one.
    """
    if scope["path"] == LATEST_RELEASE:  # as when GitHub is out of reach
        await _send_json(send, 200, None)
    elif off is not None and is_below(scope["path"], OF_THE_PAGE):
        await _send_json(send, 404, {"error": {"message": off, "code": "404"}})
    else:
        return False
    return True


def is_below(path: str, roots: tuple[str, ...]) -> bool:
    """Return whether a path is one of these, or below one."""
    return any(path == root or path.startswith(f"{root}/") for root in roots)


async def _send_json(send: Send, status: int, content: object) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})

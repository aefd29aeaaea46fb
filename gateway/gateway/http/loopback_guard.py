"""Keeps web pages out of a gateway that asks nobody for a key.

It listens on loopback, but a browser on this machine is there too. A page of any site may send
requests to localhost, and with a name that it points at 127.0.0.1 (DNS rebinding) read the answers.
Both show in the headers that a browser sets and a page cannot.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.config.checked import LOOPBACK

if TYPE_CHECKING:
    from gateway.http.asgi import App, Message, Receive, Send

REFUSAL = json.dumps(
    {
        "error": {
            "message": "without LITELLM_MASTER_KEY the gateway answers programs and pages of this "
            "machine alone; set the key and send it to call it from elsewhere",
            "type": "auth_error",
            "code": "403",
        }
    }
).encode()


class LoopbackGuard:
    """Wraps an ASGI application and refuses what comes from a page of another host."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hands on, or answers 403; a websocket is closed."""
        if scope["type"] == "lifespan" or is_from_here(dict(scope["headers"])):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSAL})


def is_from_here(headers: dict[bytes, bytes]) -> bool:
    """Returns whether Host, and Origin where there is one, name this machine."""
    host = _hostname(f"//{headers.get(b'host', b'').decode('latin-1')}")
    origin = headers.get(b"origin")
    return host in LOOPBACK and (origin is None or _hostname(origin.decode("latin-1")) in LOOPBACK)


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None

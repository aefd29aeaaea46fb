"""Keep web pages out of a gateway that needs no key.

Such a gateway listens on loopback, but so can be reached by a browser on this machine. A page of
any site may send requests to localhost. With a host name that points at 127.0.0.1 (DNS rebinding)
it can also read the answers. Both show in headers that a browser sets and a page cannot change.
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
    """Wraps an ASGI application, and refuses requests from pages of other hosts."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand a request on, or answer 403; close a refused websocket."""
        if scope["type"] == "lifespan" or is_from_here(dict(scope["headers"])):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSAL})


def is_from_here(headers: dict[bytes, bytes]) -> bool:
    """Return whether Host, and Origin if there is one, name this machine."""
    host = _hostname(f"//{headers.get(b'host', b'').decode('latin-1')}")
    origin = headers.get(b"origin")
    return host in LOOPBACK and (origin is None or _hostname(origin.decode("latin-1")) in LOOPBACK)


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None

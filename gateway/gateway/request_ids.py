"""The id under which one request is found everywhere: in logs, journal, spend row and provider.

A caller may choose it with the header `x-litellm-call-id`, as the backend does; LiteLLM makes one
when there is none (proxy/common_request_processing.py, resolve_litellm_call_id) and returns it in
the same header. LiteLLM takes whatever is not longer than 256 characters; here an id has to be one
that neither a log, a header nor a shell can stumble over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.front import App, Message, Receive, Send

CALL_ID = b"x-litellm-call-id"

CLIENT_REQUEST_ID = "x-client-request-id"
"""The header in which OpenAI takes a caller's own id and logs it, of at most 512 ASCII characters;
other providers ignore it: https://platform.openai.com/docs/api-reference/debugging-requests"""

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def is_sane(request_id: str) -> bool:
    """Returns whether an id has 1 to 128 letters, digits, dots, colons, hyphens, underscores."""
    return _SANE.fullmatch(request_id) is not None


class RequestIds:
    """Wraps LiteLLM's application: an id that is not sane is dropped, and LiteLLM makes one.

    Args:
        app: LiteLLM's.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hands a request on."""
        if scope["type"] == "http":
            headers = scope["headers"]
            kept = [(name, value) for name, value in headers if name != CALL_ID or _fits(value)]
            if len(kept) < len(headers):
                scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)


def with_client_request_id(
    headers: dict[str, str] | None, request_id: str
) -> dict[str, str] | None:
    """Returns a call's extra headers with the id in them, in place of any that a caller gave.

    They come back as they were when there is no id to send.
    """
    if not is_sane(request_id):
        return headers
    others = {
        name: value for name, value in (headers or {}).items() if name.lower() != CLIENT_REQUEST_ID
    }
    return {**others, CLIENT_REQUEST_ID: request_id}


def _fits(value: bytes) -> bool:
    return is_sane(value.decode("latin-1"))

"""The key and the id of a request.

The headers are LiteLLM's, in its order: proxy/auth/user_api_key_auth.py, `get_api_key`.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.http.asgi import Message

_HEADERS = (
    b"x-litellm-api-key",
    b"authorization",
    b"api-key",  # Azure's clients
    b"x-api-key",  # Anthropic's
    b"x-goog-api-key",
    b"ocp-apim-subscription-key",
)
CALL_ID = b"x-litellm-call-id"
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
MAX_KEY = 1024


def secret_of(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the key of a request; None when there is none."""
    for name in _HEADERS:
        value = headers.get(name)
        if value:
            text = value[:MAX_KEY].decode("latin-1").strip()
            scheme, _, rest = text.partition(" ")
            return rest.strip() if rest and scheme.lower() in ("bearer", "basic") else text
    return None


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the id that the caller chose, or a new one.

    A caller's id has to be harmless in a log, a header and a shell: 1 to 128 letters, digits, dots,
    colons, hyphens and underscores.
    """
    given = headers.get(CALL_ID)
    return _new_id() if given is None else sane_id(given.decode("latin-1"))


def with_id(scope: Message, request_id: str) -> Message:
    """Return a request's scope with this id in place of any other."""
    headers = [pair for pair in scope["headers"] if pair[0] != CALL_ID]
    return {**scope, "headers": [*headers, (CALL_ID, request_id.encode())]}


def _new_id() -> str:
    """Return a random UUID (RFC 9562, version 4), four times as fast as the module `uuid`."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def sane_id(given: str) -> str:
    """Return the given id if it is sane, else a new one."""
    return given if _SANE.fullmatch(given) is not None else _new_id()

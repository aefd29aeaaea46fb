"""Headers between a caller and LiteLLM: which pass, and which of an answer tell the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HOP_BY_HOP = frozenset(
    {
        "connection",
        "expect",  # between the caller and the gateway only
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110, 7.6.1, with what is older."""

_HOP_BY_HOP = frozenset(name.encode() for name in HOP_BY_HOP)

FROM_GATEWAY = b"llm_provider-"
"""LiteLLM puts it before each header of the internal endpoint's answer."""

OURS = (b"x-litellm-response-cost", b"x-litellm-model-id", b"x-gateway-", b"x-ratelimit-")
"""Those of the internal endpoint that tell the truth, where LiteLLM's speak of its own price."""

_HIDDEN = (
    b"x-litellm-model-api-base",  # the internal endpoint
    b"x-litellm-model-name",  # openai/ALIAS
    b"x-litellm-response-cost",  # of a price that is next to nothing
    b"server",
)


def answer_headers(given: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers of LiteLLM's answer as the caller gets them, in lower case."""
    lower = [(name.lower(), value) for name, value in given]
    true = {
        name[len(FROM_GATEWAY) :]: value
        for name, value in lower
        if name.startswith(FROM_GATEWAY) and name[len(FROM_GATEWAY) :].startswith(OURS)
    }
    kept = [
        (name, value)
        for name, value in lower
        if name not in _HOP_BY_HOP
        and name not in true
        and not name.startswith((FROM_GATEWAY, *_HIDDEN))
    ]
    return [*kept, *true.items()]

"""Whether a prompt fits into a deployment's context, checked before any deployment is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.request import Request

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English. LiteLLM counts with a tokenizer, which takes milliseconds."""


def prompt_tokens(request: Request) -> int:
    """Return roughly how many tokens a request's texts have; files and images are not counted."""
    body = request.body
    texts = (body.get("messages"), body.get("prompt"), body.get("input"))
    return sum(map(_characters, texts)) // CHARACTERS_PER_TOKEN


def _characters(value: Any) -> int:  # noqa: ANN401 -- JSON
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_characters, value))
    if isinstance(value, dict):
        return _characters(value.get("content")) + _characters(value.get("text"))
    return 0

"""LiteLLM's usage object as the gateway's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.request import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping


def usage_of(raw: Mapping[str, Any] | None, *, counted: bool = False) -> Usage:
    """Return what an answer used.

    LiteLLM's `prompt_tokens` hold those read from a cache and those written into it, and its
    `completion_tokens` the reasoning, for every provider.
    """
    raw = raw or {}
    prompt = raw.get("prompt_tokens_details") or {}
    completion = raw.get("completion_tokens_details") or {}
    return Usage(
        prompt=_count(raw.get("prompt_tokens")),
        completion=_count(raw.get("completion_tokens")),
        cached=_count(prompt.get("cached_tokens") or raw.get("cache_read_input_tokens")),
        cache_written=_count(
            raw.get("cache_creation_input_tokens") or prompt.get("cache_creation_tokens")
        ),
        reasoning=_count(completion.get("reasoning_tokens")),
        raw=raw,
        counted=counted,
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0

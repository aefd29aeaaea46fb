"""What an answer used: what its provider reported, or what the gateway counted."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from gateway.request import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.config.deployment import Deployment
    from gateway.request import Request

LOG = logging.getLogger(__name__)

Count = Callable[["Deployment", "Request", str], Awaitable[tuple[int, int]]]
"""Counts the tokens of a request's prompt and of a text that answers it, off the event loop."""

BYTES_A_TOKEN = 4
"""Of English with the usual tokenizers: https://platform.openai.com/tokenizer"""


def usage_of(reported: object) -> Usage | None:
    """Return OpenAI's `usage` as Usage; None when it says nothing.

    The names beside OpenAI's are DeepSeek's (prompt_cache_hit_tokens), Anthropic's behind
    compatible servers (cache_…_input_tokens), OpenRouter's (cache_write_tokens) and those of
    transcriptions (input_tokens).
    """
    if not isinstance(reported, dict) or not reported:
        return None
    prompt = _number(reported, "prompt_tokens") or _number(reported, "input_tokens")
    completion = _number(reported, "completion_tokens") or _number(reported, "output_tokens")
    details = reported.get("prompt_tokens_details") or {}
    answer_details = reported.get("completion_tokens_details")
    cached = written = reasoning = 0
    if isinstance(details, dict):
        cached = _number(details, "cached_tokens")
        written = _number(details, "cache_write_tokens") or _number(
            details, "cache_creation_tokens"
        )
    if isinstance(answer_details, dict):
        reasoning = _number(answer_details, "reasoning_tokens")
    return Usage(
        prompt,
        completion,
        cached
        or _number(reported, "prompt_cache_hit_tokens")
        or _number(reported, "cache_read_input_tokens"),
        written or _number(reported, "cache_creation_input_tokens"),
        reasoning,
        reported,
    )


def counted_usage(prompt: int, completion: int) -> Usage:
    """Return what the gateway counted itself, with a `raw` in OpenAI's form for the caller."""
    raw = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    return Usage(prompt, completion, raw=raw, counted=True)


def estimated_usage(request: Request, text: str) -> Usage:
    """Return an estimate without a tokenizer, from the bytes of the texts."""
    return counted_usage(_tokens(prompt_text(request.body)), _tokens(text))


async def count_usage(
    count: Count | None, deployment: Deployment, request: Request, text: str
) -> Usage:
    """Return the counted usage; an estimate when nobody counts or the count fails."""
    if count is None:
        return estimated_usage(request, text)
    try:
        prompt, completion = await count(deployment, request, text)
    except Exception:
        LOG.exception("the tokens of an answer of %s could not be counted", deployment.alias)
        return estimated_usage(request, text)
    return counted_usage(prompt, completion)


def prompt_text(body: Mapping[str, Any]) -> str:
    """Return the texts of a request: its messages, prompt or input."""
    for name in ("messages", "prompt", "input"):
        if name in body:
            return "\n".join(_texts(body[name]))
    return ""


def answer_text(choices: Iterable[Any]) -> str:
    """Return the texts of a plain answer's choices, tool calls among them."""
    texts: list[str] = []
    for choice in choices:
        message = choice.get("message") or choice
        texts += [
            message[name]
            for name in ("reasoning_content", "content", "text")
            if isinstance(message.get(name), str)
        ]
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            texts += [str(function.get("name") or ""), str(function.get("arguments") or "")]
    return "".join(texts)


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        yield from _texts(value.get("content") or value.get("text"))


def _tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN)


def _number(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    return int(value) if isinstance(value, (int, float)) and value > 0 else 0

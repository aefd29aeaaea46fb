"""What the tokens of an answer cost, where a provider says of which kind they were.

As LiteLLM has it: `generic_cost_per_token` in litellm_core_utils/llm_cost_calc/utils.py of 1.106.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.costs.rates import unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.costs.rates import Rates
    from gateway.request import Usage

_PLAIN = frozenset(
    {
        "cached_tokens",
        "cache_write_tokens",
        "cache_creation_tokens",
        "cache_creation_input_tokens",
        "reasoning_tokens",
        "accepted_prediction_tokens",
        "rejected_prediction_tokens",
        "web_search_requests",
        "google_maps_grounding_requests",
        "tool_use_tokens",
    }
)
"""Details that `Usage` has as fields of its own, or that change no price of a token."""

_NONE: Mapping[str, Any] = {}


def token_cost(rates: Rates, price: Mapping[str, Any], usage: Usage) -> float:
    """Return the US dollars of an answer's tokens."""
    raw = usage.raw
    if raw:
        given = raw.get("prompt_tokens_details")
        taken = raw.get("completion_tokens_details")
        if (given and _has_kinds(given)) or (taken and _has_kinds(taken)):
            return _prompt(rates, price, usage, given) + _completion(rates, usage, taken)
    return plain_cost(rates, usage)


def plain_cost(rates: Rates, usage: Usage) -> float:
    """Return the US dollars of tokens of text, cached and reasoning ones among them."""
    cached, written, reasoning = usage.cached, usage.cache_written, usage.reasoning
    if not (cached or written or reasoning):
        return usage.prompt * rates.prompt + usage.completion * rates.completion
    text = usage.prompt - cached - written
    answer = usage.completion - reasoning
    return (
        max(text, 0) * rates.prompt
        + cached * rates.cache_read
        + written * rates.cache_write
        + max(answer, 0) * rates.completion
        + reasoning * rates.reasoning
    )


def count(details: object, name: str) -> int:
    """Return a count that a provider sent; 0 for none, and for what is not a count."""
    value = details.get(name) if isinstance(details, dict) else None
    return value if type(value) is int and value > 0 else 0


def _has_kinds(details: object) -> bool:
    if not isinstance(details, dict):
        return False
    for name, value in details.items():  # noqa: SIM110 -- a generator would cost half a bill more
        if value and name not in _PLAIN:
            return True
    return False


def _prompt(rates: Rates, price: Mapping[str, Any], usage: Usage, details: object) -> float:
    cached, written = usage.cached, usage.cache_written
    of_cached = details.get("cached_tokens_details") if isinstance(details, dict) else None
    cached_audio = min(count(of_cached, "audio_tokens"), cached)
    cached_text = min(count(of_cached, "text_tokens"), cached - cached_audio)
    cached_image = min(count(of_cached, "image_tokens"), cached - cached_audio - cached_text)
    text = max(count(details, "text_tokens") - cached_text, 0)
    audio = max(count(details, "audio_tokens") - cached_audio, 0)
    image = max(count(details, "image_tokens") - cached_image, 0)
    video = count(details, "video_tokens")
    others = audio + image + video
    if (cached or written) and text + cached + written + others > usage.prompt:
        # The kinds overlap with what was cached: nothing is to be paid twice.
        left = max(usage.prompt - cached - written, 0)
        audio = min(audio, left)
        image = min(image, left - audio)
        video = min(video, left - audio - image)
        text = left - audio - image - video
    elif not text and not count(details, "image_count"):
        text = max(usage.prompt - cached - written - others, 0)
    is_by_character = (
        count(details, "character_count") > 0 and price.get("input_cost_per_character") is not None
    )
    return (
        (0.0 if is_by_character else text * rates.prompt)
        + (cached - cached_audio) * rates.cache_read
        + cached_audio * rates.cache_read_audio
        + (0 if _by_length(details, price, "audio") else audio * rates.audio_in)
        + (0 if _by_piece(details, price) else image * rates.image_in)
        + (0 if _by_length(details, price, "video") else video * rates.video_in)
        + _written(rates, written, details)
        + _pieces(details, price)
    )


def _written(rates: Rates, written: int, details: object) -> float:
    """Return the US dollars of writing the provider's cache, for five minutes or an hour."""
    kinds = details.get("cache_creation_token_details") if isinstance(details, dict) else None
    if not isinstance(kinds, dict):
        return written * rates.cache_write
    return (
        count(kinds, "ephemeral_5m_input_tokens") * rates.cache_write
        + count(kinds, "ephemeral_1h_input_tokens") * rates.cache_write_hour
    )


def _by_length(details: object, price: Mapping[str, Any], kind: str) -> bool:
    name = f"input_cost_per_{kind}_per_second"
    return _amount(details, f"{kind}_length_seconds") > 0 and price.get(name) is not None


def _by_piece(details: object, price: Mapping[str, Any]) -> bool:
    return count(details, "image_count") > 0 and price.get("input_cost_per_image") is not None


def _pieces(details: object, price: Mapping[str, Any]) -> float:
    """Return the US dollars of what is paid by the piece, the second or the character."""
    return sum(
        _amount(details, amount) * (unit(price, name) or 0.0)
        for amount, name in (
            ("character_count", "input_cost_per_character"),
            ("image_count", "input_cost_per_image"),
            ("video_length_seconds", "input_cost_per_video_per_second"),
            ("audio_length_seconds", "input_cost_per_audio_per_second"),
            ("query_count", "input_cost_per_query"),
        )
    )


def _amount(details: object, name: str) -> float:
    value = details.get(name) if isinstance(details, dict) else None
    return float(value) if isinstance(value, (int, float)) and value > 0 else 0.0


def _completion(rates: Rates, usage: Usage, details: object) -> float:
    reasoning = usage.reasoning
    audio = count(details, "audio_tokens")
    image = count(details, "image_tokens")
    video = count(details, "video_tokens")
    text = count(details, "text_tokens")
    others = reasoning + audio + image + video
    text -= min(reasoning, text, max(text + others - usage.completion, 0))
    if not text:
        text = max(usage.completion - others, 0)
    return (
        text * rates.completion
        + audio * rates.audio_out
        + reasoning * rates.reasoning
        + image * rates.image_out
        + video * rates.video_out
    )

"""Which price of a model holds for a request: by its length, its service tier and the hour.

As LiteLLM has it, in litellm_core_utils/llm_cost_calc/utils.py of 1.106.2: `_get_token_base_cost`,
`_get_tiered_base_costs`, `_resolve_billed_reasoning_rate`. Runs once for each deployment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SERVICE_TIERS = {
    "flex": "_flex",
    "balanced": "_balanced",
    "priority": "_priority",
    "fast": "_priority",
    "ultrafast": "_ultrafast",
}
"""`service_tier` of a request or an answer, and the end of its prices' names."""

_PREFIXES = (
    "input_cost_per_token",
    "output_cost_per_token",
    "cache_read_input_token_cost",
    "cache_creation_input_token_cost",
)
_ABOVE = re.compile(rf"^(?:{'|'.join(_PREFIXES)})_above_(?:1hr_above_)?(\d+k?)_tokens")
_MODALITY_ABOVE = re.compile(r"^input_cost_per_(?:audio|image|video)_token_above_(\d+k?)_tokens")
# LiteLLM knows more tiers than have a suffix of their own: `_fast` and `_auto` among them.
_NOT_STANDARD = ("_ultrafast", "_balanced", "_priority", "_auto", "_flex", "_fast")


@dataclass(frozen=True)
class Rates:
    """US dollars a token of each kind; None where a kind has no price of its own."""

    prompt: float
    completion: float
    cache_write: float
    cache_write_hour: float
    cache_read: float
    reasoning: float
    cache_read_audio: float
    audio_in: float
    image_in: float
    video_in: float
    audio_out: float
    image_out: float
    video_out: float

    @property
    def dearest_in(self) -> float:
        """The most that a token of the prompt can cost."""
        return max(
            self.prompt,
            self.cache_write,
            self.cache_write_hour,
            self.cache_read,
            self.cache_read_audio,
            self.audio_in,
            self.image_in,
            self.video_in,
        )

    @property
    def dearest_out(self) -> float:
        """The most that a token of the answer can cost."""
        return max(self.completion, self.reasoning, self.audio_out, self.image_out, self.video_out)


def number(value: object) -> float | None:
    """Return a price as written in YAML or JSON, "3e-7" among them; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return None


def unit(price: Mapping[str, Any], name: str, default: float | None = 0.0) -> float | None:
    """Return a price by its name; of a service tier that has none, the standard one."""
    value = price.get(name)
    if value is None:
        for suffix in _NOT_STANDARD:
            if suffix in name:
                value = price.get(name.replace(suffix, ""))
                break
    found = number(value)
    return default if found is None else found


def breakpoints(price: Mapping[str, Any], *, inclusive: bool) -> tuple[int, ...]:
    """Return the lengths of a prompt, in tokens, above which another price holds.

    Args:
        price: of a deployment.
        inclusive: whether a prompt of exactly a threshold has the higher price.
    """
    points = {
        int(threshold) - 1 if inclusive else int(threshold)
        for name, value in price.items()
        if value is not None and (threshold := _threshold(name)) is not None
    }
    for tier in _tiers(price):
        points.update((0, *(int(edge) for edge in tier["range"])))
    return tuple(sorted(points))


def rates_at(
    price: Mapping[str, Any],
    prompt_tokens: int,
    suffix: str = "",
    *,
    inclusive: bool = False,
    off_peak: bool = False,
) -> Rates:
    """Return the rates of a request.

    Args:
        price: of a deployment.
        prompt_tokens: how long its prompt is.
        suffix: of its service tier, from SERVICE_TIERS; "" for the standard one.
        inclusive: whether a prompt of exactly a threshold has the higher price.
        off_peak: whether the hour is one of `off_peak_pricing`.
    """
    window = price.get("off_peak_pricing") if off_peak else None
    tier = _tier_for(price, prompt_tokens)
    if tier is not None:
        base = _by_tier(price, tier)
        reasoning = _tier_reasoning(tier)
    else:
        base = _by_threshold(price, prompt_tokens, suffix, inclusive, window or {})
        reasoning = None
    prompt, completion, write, write_hour, read = base
    if window:
        prompt = _instead(window, "input_cost_per_token", prompt)
        completion = _instead(window, "output_cost_per_token", completion)
        read = _instead(window, "cache_read_input_token_cost", read)
        write = _instead(window, "cache_creation_input_token_cost", write)
        reasoning = _instead(window, "output_cost_per_reasoning_token", reasoning)
    if reasoning is None:
        reasoning = _reasoning(price, suffix, completion)

    def beyond(name: str) -> str:
        return _name_beyond(price, name, prompt_tokens, suffix, inclusive=inclusive)

    return Rates(
        prompt=prompt,
        completion=completion,
        cache_write=write,
        cache_write_hour=write if write_hour is None else write_hour,
        cache_read=read,
        reasoning=reasoning,
        cache_read_audio=_or(unit(price, f"cache_read_input_audio_token_cost{suffix}", None), read),
        audio_in=_modality(price, beyond("input_cost_per_audio_token"), suffix, prompt),
        image_in=_modality(price, beyond("input_cost_per_image_token"), suffix, prompt),
        video_in=_modality(price, beyond("input_cost_per_video_token"), suffix, prompt),
        audio_out=_or(unit(price, "output_cost_per_audio_token", None), completion),
        image_out=_or(unit(price, "output_cost_per_image_token", None), completion),
        video_out=_or(unit(price, "output_cost_per_video_token", None), completion),
    )


def _by_threshold(
    price: Mapping[str, Any],
    prompt_tokens: int,
    suffix: str,
    inclusive: bool,  # noqa: FBT001 -- private, and named at its one call
    window: Mapping[str, Any],
) -> tuple[float, float, float, float | None, float]:
    prompt = unit(price, f"input_cost_per_token{suffix}") or 0.0
    completion = unit(price, f"output_cost_per_token{suffix}") or 0.0
    if not completion:  # models that only draw
        completion = _or(unit(price, "output_cost_per_image_token", None), completion)
    write = unit(price, f"cache_creation_input_token_cost{suffix}", None)
    write_hour = unit(price, "cache_creation_input_token_cost_above_1hr", None)
    read = unit(price, f"cache_read_input_token_cost{suffix}", None)
    for name in _crossed(price, prompt_tokens, suffix, inclusive):
        above = f"_above_{name}_tokens{suffix}"
        prompt = _or(unit(price, f"input_cost_per_token{above}", prompt), prompt)
        completion = _or(unit(price, f"output_cost_per_token{above}", completion), completion)
        write = unit(price, f"cache_creation_input_token_cost{above}", write)
        write_hour = unit(price, f"cache_creation_input_token_cost_above_1hr{above}", write_hour)
        read = unit(price, f"cache_read_input_token_cost{above}", read)
    missing = _instead(window, "input_cost_per_token", prompt)
    return prompt, completion, _or(write, missing), write_hour, _or(read, missing)


def _crossed(
    price: Mapping[str, Any],
    prompt_tokens: int,
    suffix: str,
    inclusive: bool,  # noqa: FBT001 -- as above
) -> list[str]:
    """Return the thresholds that a prompt is beyond, as they are written, in rising order."""
    names = {
        match[1]
        for name, value in price.items()
        if value is not None
        and (match := _ABOVE.match(name)) is not None
        and (not name.endswith((*_NOT_STANDARD, "_batches")) or (suffix and name.endswith(suffix)))
    }
    return [
        name
        for name in sorted(names, key=_tokens)
        if prompt_tokens > _tokens(name) or (inclusive and prompt_tokens == _tokens(name))
    ]


def _threshold(name: str) -> float | None:
    match = _ABOVE.match(name) or _MODALITY_ABOVE.match(name)
    return _tokens(match[1]) if match is not None else None


def _tokens(threshold: str) -> float:
    return float(threshold.replace("k", "")) * (1000 if "k" in threshold else 1)


def _tiers(price: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    tiers = price.get("tiered_pricing")
    if not isinstance(tiers, list):
        return ()
    edges = 2
    found = [tier for tier in tiers if len(tier.get("range", ())) == edges]
    return sorted(found, key=lambda tier: float(tier["range"][0]))


def _tier_for(price: Mapping[str, Any], prompt_tokens: int) -> Mapping[str, Any] | None:
    tiers = _tiers(price)
    if not tiers or prompt_tokens <= 0:
        return None
    matching = (t for t in tiers if t["range"][0] < prompt_tokens <= t["range"][1])
    tier = next(matching, tiers[-1])
    return tier if "input_cost_per_token" in tier else None


def _by_tier(
    price: Mapping[str, Any], tier: Mapping[str, Any]
) -> tuple[float, float, float, float | None, float]:
    prompt = number(tier.get("input_cost_per_token")) or 0.0
    output = tier if "output_cost_per_token" in tier else price
    write = _or(number(tier.get("cache_creation_input_token_cost")), prompt)
    hour = number(tier.get("cache_creation_input_token_cost_above_1hr"))
    return (
        prompt,
        number(output.get("output_cost_per_token")) or 0.0,
        write,
        (number(tier.get("cache_creation_input_token_cost")) if hour is None else hour) or write,
        _or(number(tier.get("cache_read_input_token_cost")), prompt),
    )


def _tier_reasoning(tier: Mapping[str, Any]) -> float | None:
    reasoning = number(tier.get("output_cost_per_reasoning_token"))
    return number(tier.get("output_cost_per_token")) if reasoning is None else reasoning


def _reasoning(price: Mapping[str, Any], suffix: str, completion: float) -> float:
    of_tier = number(price.get(f"output_cost_per_reasoning_token{suffix}"))
    if of_tier is not None:
        return of_tier
    if suffix and price.get(f"output_cost_per_token{suffix}") is not None:
        return completion
    standard = number(price.get("output_cost_per_reasoning_token"))
    return completion if standard is None else standard


def _name_beyond(
    price: Mapping[str, Any], name: str, prompt_tokens: int, suffix: str, *, inclusive: bool
) -> str:
    """Return the name of a price with the highest threshold that a prompt is beyond, if any."""
    start = f"{name}_above_"
    crossed: list[tuple[float, str]] = []
    for key, value in price.items():
        standard = key.removesuffix(suffix) if suffix else key
        if value is None or not standard.startswith(start) or not standard.endswith("_tokens"):
            continue
        threshold = _tokens(standard[len(start) : -len("_tokens")])
        if prompt_tokens > threshold or (inclusive and prompt_tokens == threshold):
            crossed.append((threshold, standard))
    return max(crossed)[1] if crossed else name


def _modality(price: Mapping[str, Any], name: str, suffix: str, prompt: float) -> float:
    of_tier = f"{name}{suffix}"
    found = price.get(of_tier if price.get(of_tier) is not None else name)
    return prompt if found is None else number(found) or 0.0


def _instead(window: Mapping[str, Any], name: str, rate: Any) -> Any:  # noqa: ANN401 -- float or None, in and out
    return _or(number(window.get(name)), rate)


def _or(value: float | None, otherwise: Any) -> Any:  # noqa: ANN401 -- as above
    return otherwise if value is None else value

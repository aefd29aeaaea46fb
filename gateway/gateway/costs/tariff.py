"""A deployment's price as a table: made once, read at each bill and each reservation."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway.costs.off_peak import is_off_peak
from gateway.costs.rates import SERVICE_TIERS, Rates, breakpoints, number, rates_at

if TYPE_CHECKING:
    from gateway.config.deployment import Deployment

_INCLUSIVE = frozenset({"xai"})
_WITHOUT_SERVICE_TIER = frozenset(
    {
        *("fireworks_ai", "deepseek", "tencent", "perplexity", "xai", "lemonade"),
        *("dashscope", "qwencloud", "qwen_ai_platform"),
    }
)
_BY_DURATION = frozenset(
    {None, "audio_transcription", "chat", "completion", "embedding", "responses"}
)
_OPENAI_REGIONS = {"eu.api.openai.com": "eu", "us.api.openai.com": "us"}
_FIREWORKS_CACHED = 0.5
_MOST_DEPLOYMENTS = 4096


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a deployment's tokens cost, by length of the prompt and service tier.

    Attributes:
        price: of the deployment.
        provider: LiteLLM's name of it.
        model: the provider's name of the model.
        is_free: whether nothing of it costs anything.
        is_priced: whether a price is known.
        points: lengths of a prompt above which another price holds.
        bands: service tier's suffix, and whether it is off-peak → rates below each point, and
            beyond the last.
        off_peak: hours with prices of their own; None without any.
        per_second: US dollars a second of the call; None when tokens are paid.
        multiplier: of the whole: a region's, a discount, a margin.
        fixed: US dollars more for each answer.
    """

    price: Mapping[str, Any]
    provider: str
    model: str
    is_free: bool
    is_priced: bool
    points: tuple[int, ...]
    bands: Mapping[tuple[str, bool], tuple[Rates, ...]] = field(repr=False)
    off_peak: Mapping[str, Any] | None
    per_second: float | None
    multiplier: float
    fixed: float

    def rates(self, prompt_tokens: int, service_tier: object = None) -> Rates:
        """Return what a token costs in a request of this length and service tier, now."""
        suffix = ""
        if service_tier is not None and isinstance(service_tier, str):
            suffix = SERVICE_TIERS.get(service_tier.lower(), "")
        off_peak = self.off_peak is not None and is_off_peak(
            self.off_peak, datetime.now(timezone.utc)
        )
        bands = self.bands.get((suffix, off_peak)) or self.bands["", off_peak]
        return bands[bisect_left(self.points, prompt_tokens)] if self.points else bands[0]


_TARIFFS: dict[int, tuple[Deployment, Tariff]] = {}


def tariff_of(deployment: Deployment) -> Tariff:
    """Return the tariff of a deployment; made at its first use."""
    found = _TARIFFS.get(id(deployment))
    if found is not None:  # it is held, so its id is no other's
        return found[1]
    if len(_TARIFFS) > _MOST_DEPLOYMENTS:
        _TARIFFS.clear()
    tariff = _make(deployment)
    _TARIFFS[id(deployment)] = (deployment, tariff)
    return tariff


def _make(deployment: Deployment) -> Tariff:
    provider = deployment.provider
    price = deployment.price
    if provider == "fireworks_ai":
        price = _with_cached_rate(price)
    points = breakpoints(price, inclusive=provider in _INCLUSIVE)
    windows = (False, True) if isinstance(price.get("off_peak_pricing"), dict) else (False,)
    suffixes = {""} if provider in _WITHOUT_SERVICE_TIER else {"", *SERVICE_TIERS.values()}
    lengths = (points[0], *(point + 1 for point in points)) if points else (1,)
    return Tariff(
        price=price,
        provider=provider,
        model=deployment.model,
        is_free=not (costs_anything(price) or (price and _bills_searches(provider)))
        or provider == "lemonade",
        is_priced=deployment.is_priced,
        points=points,
        bands={
            (suffix, off_peak): tuple(
                rates_at(
                    price,
                    length,
                    suffix,
                    inclusive=provider in _INCLUSIVE,
                    off_peak=off_peak,
                )
                for length in lengths
            )
            for suffix in suffixes
            for off_peak in windows
        },
        off_peak=price["off_peak_pricing"] if len(windows) > 1 else None,
        per_second=_per_second(deployment.mode if "mode" in price else None, price),
        multiplier=(number(price.get("cost_multiplier")) or 1.0) * _of_region(deployment),
        fixed=number(price.get("cost_fixed")) or 0.0,
    )


def costs_anything(price: object) -> bool:
    """Return whether anything in a price is above 0."""
    if isinstance(price, Mapping):
        return any(
            costs_anything(value)
            for name, value in price.items()
            if "cost" in name or "pric" in name or "search" in name
        )
    if isinstance(price, (list, tuple)):
        return any(costs_anything(each) for each in price)
    return (number(price) or 0.0) > 0


def _bills_searches(provider: str) -> bool:
    """Return whether LiteLLM books a search of it even where its price map lists no price."""
    return provider in {"gemini", "xai", "groq"} or provider.startswith("vertex_ai")


def _per_second(mode: object, price: Mapping[str, Any]) -> float | None:
    """Return what a second of the call costs, for a model whose tokens have no price."""
    by_token = (number(price.get(f"{side}_cost_per_token")) or 0.0 for side in ("input", "output"))
    if any(by_token) or price.get("tiered_pricing") is not None or mode not in _BY_DURATION:
        return None
    names = ("cost_per_second", "input_cost_per_second", "output_cost_per_second")
    return next((rate for name in names if (rate := number(price.get(name))) is not None), None)


def _of_region(deployment: Deployment) -> float:
    """Return the factor that OpenAI takes for data that stay in a region."""
    if deployment.provider != "openai" or not deployment.base:
        return 1.0
    region = _OPENAI_REGIONS.get(urlsplit(deployment.base).hostname or "")
    factor = deployment.price.get(f"regional_processing_uplift_multiplier_{region}")
    return number(factor) or 1.0


def _with_cached_rate(price: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add Fireworks' price of a cached token: half of a token's, where none is listed."""
    name = "cache_read_input_token_cost"
    rate = number(price.get("input_cost_per_token"))
    if rate is None or price.get(name) is not None:
        return price
    return {**price, name: rate * _FIREWORKS_CACHED}

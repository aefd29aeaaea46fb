"""LiteLLM's routing strategies: which of the deployments that can take a request gets it.

Sources: LiteLLM 1.106.2, router_strategy/. The numbers that they compare are counted in `load.py`.
"""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from math import ceil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

    from gateway.request import Request
    from gateway.routing.load import Load
    from gateway.routing.tracked import TrackedDeployment

UNKNOWN_PRICE = 5.0
"""USD a token that LiteLLM assumes for a model without a price (lowest_cost.py)."""


class Strategy(ABC):
    """Picks a deployment.

    Attributes:
        keeps_minute_limits: whether it leaves out deployments that have reached their limit of
            requests or tokens a minute.
    """

    keeps_minute_limits = False

    @abstractmethod
    def pick(self, candidates: Sequence[TrackedDeployment], request: Request) -> TrackedDeployment:
        """Return one of the candidates, of which there is at least one."""


class SimpleShuffle(Strategy):
    """At random, by the deployments' weights, else by their rpm, else by their tpm."""

    def pick(self, candidates: Sequence[TrackedDeployment], request: Request) -> TrackedDeployment:
        """Return a random one by weight; one without a weight is left out if others have one."""
        del request
        for name in ("weight", "rpm", "tpm"):
            weights = [getattr(each.deployment, name) or 0.0 for each in candidates]
            if any(weight > 0 for weight in weights):
                return random.choices(candidates, weights)[0]  # noqa: S311 -- no secret
        return random.choice(candidates)  # noqa: S311 -- as above


class LeastBusy(Strategy):
    """The one that is answering the fewest requests."""

    def pick(self, candidates: Sequence[TrackedDeployment], request: Request) -> TrackedDeployment:
        """Return the first with the fewest."""
        del request
        return min(candidates, key=lambda each: each.load.in_flight)


class LowestLatency(Strategy):
    """The one that was fastest recently; one that was not asked recently counts as the fastest.

    Args:
        window: seconds after which latencies are forgotten.
        buffer: how much slower than the fastest still counts as equal, as a share of its latency.
        percentile: the percentile of the seconds to the first token that counts for streams; None
            for the mean.
    """

    keeps_minute_limits = True

    def __init__(
        self, window: float = 3600.0, buffer: float = 0.0, percentile: float | None = None
    ) -> None:
        self._window = window
        self._buffer = buffer
        self._percentile = percentile

    def pick(self, candidates: Sequence[TrackedDeployment], request: Request) -> TrackedDeployment:
        """Return a random one of those that are about as fast as the fastest."""
        oldest = time.monotonic() - self._window
        found = [
            (self._latency(each.load, stream=request.stream, oldest=oldest), each)
            for each in candidates
        ]
        slowest = min(latency for latency, _ in found) * (1 + self._buffer)
        good = [each for latency, each in found if latency <= slowest]
        return random.choice(good)  # noqa: S311 -- as above

    def _latency(self, load: Load, *, stream: bool, oldest: float) -> float:
        if load.measured < oldest:
            return 0.0
        if stream and load.first_tokens:
            if self._percentile is not None:
                ordered = sorted(load.first_tokens)
                return ordered[ceil(len(ordered) * self._percentile) - 1]
            return sum(load.first_tokens) / len(load.first_tokens)
        return sum(load.latencies) / len(load.latencies) if load.latencies else 0.0


class LowestCost(Strategy):
    """The cheapest, by the price of a token of the prompt and one of the answer together."""

    keeps_minute_limits = True

    def pick(self, candidates: Sequence[TrackedDeployment], request: Request) -> TrackedDeployment:
        """Return the first of the cheapest."""
        del request
        return min(candidates, key=_price)


class LowestUsage(Strategy):
    """The one that used the fewest tokens in this minute.

    Args:
        shuffle: whether a random one of several equal deployments is taken, instead of the first.
    """

    keeps_minute_limits = True

    def __init__(self, *, shuffle: bool) -> None:
        self._shuffle = shuffle

    def pick(self, candidates: Sequence[TrackedDeployment], request: Request) -> TrackedDeployment:
        """Return one with the fewest."""
        del request
        fewest = min(each.load.tokens for each in candidates)
        good = [each for each in candidates if each.load.tokens == fewest]
        return random.choice(good) if self._shuffle else good[0]  # noqa: S311 -- as above


def strategy_named(name: str, arguments: Mapping[str, Any]) -> Strategy:
    """Return a strategy.

    Args:
        name: one of config.known_keys.STRATEGIES.
        arguments: routing_strategy_args.

    Raises:
        ValueError: there is no such strategy.
    """
    if name == "latency-based-routing":
        return LowestLatency(
            float(arguments.get("ttl", 3600.0)),
            float(arguments.get("lowest_latency_buffer", 0.0)),
            arguments.get("ttft_percentile"),
        )
    simple: dict[str, Callable[[], Strategy]] = {
        "simple-shuffle": SimpleShuffle,
        "provider-budget-routing": SimpleShuffle,  # its budgets hold under every strategy
        "least-busy": LeastBusy,
        "cost-based-routing": LowestCost,
        "usage-based-routing": lambda: LowestUsage(shuffle=False),
        "usage-based-routing-v2": lambda: LowestUsage(shuffle=True),
    }
    if name not in simple:
        raise ValueError(f"there is no routing strategy {name!r}, use one of {_names(simple)}")
    return simple[name]()


def _names(strategies: Collection[str]) -> str:
    return ", ".join(sorted({*strategies, "latency-based-routing"}))


def _price(tracked: TrackedDeployment) -> float:
    names = ("input_cost_per_token", "output_cost_per_token")
    prices = (tracked.deployment.price.get(name) for name in names)
    return sum(UNKNOWN_PRICE if price is None else float(price) for price in prices)

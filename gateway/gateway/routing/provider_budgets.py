"""Budgets for what each provider may cost in a window of time, under every strategy.

Spend is counted in this process from its start, as LiteLLM counts it without Redis (1.106.2,
router_strategy/budget_limiter.py). A window begins with the first cost after the last window ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class _Window:
    limit: float
    seconds: float
    spend: float = 0.0
    ends: float = 0.0


class ProviderBudgets:
    """The providers' budgets. Times are seconds of a monotonic clock.

    Args:
        budgets: provider → (USD, seconds).
    """

    def __init__(self, budgets: Mapping[str, tuple[float, float]]) -> None:
        self._windows = {
            name: _Window(limit, seconds) for name, (limit, seconds) in budgets.items()
        }

    def __bool__(self) -> bool:
        return bool(self._windows)

    def record_cost(self, provider: str, cost: float, now: float) -> None:
        """Count what an answer cost, in USD."""
        window = self._windows.get(provider)
        if window is None or not cost:
            return
        if now >= window.ends:
            window.spend = 0.0
            window.ends = now + window.seconds
        window.spend += cost

    def is_spent(self, provider: str, now: float) -> bool:
        """Return whether a provider's budget is spent for this window; a budget of 0 means none."""
        window = self._windows.get(provider)
        return window is not None and 0 < window.limit <= window.spend and now < window.ends

    def free_in(self, provider: str, now: float) -> float:
        """Return the seconds until a provider's next window."""
        return max(0.0, self._windows[provider].ends - now)

"""`gateway models --probe`: one call of one token to each deployment, announced before."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from gateway.gateway_client import said
from gateway.models.rows import MILLION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gateway.models.rows import ListedDeployment

QUESTION = "Hi"
PROMPT_TOKENS = 50
"""More than any provider counts for QUESTION with its chat template, for the cost told before."""


@dataclass(frozen=True)
class CanaryResult:
    """What came of one call."""

    row: ListedDeployment
    ok: bool
    seconds: float
    error: str = ""

    def __str__(self) -> str:
        result = "answered" if self.ok else f"failed: {self.error}"
        return f"{self.row.alias} ({self.row.model}): {result}, {self.seconds:.2f} s"


def announcement(rows: Sequence[ListedDeployment]) -> list[str]:
    """Return what will be called, and at most what that costs."""
    called = [row for row in rows if row.deployment is not None]
    lines = [f"one call of one token to each of {len(called)} deployments, at most:"]
    lines += [f"  {row.alias} ({row.model}): {_cost_text(row)}" for row in called]
    known = [cost for row in called if (cost := most(row)) is not None]
    return [*lines, f"  together {sum(known):.8f} USD"]


def most(row: ListedDeployment) -> float | None:
    """Return what one call costs at most, in USD; None when its price is not known."""
    if row.price_in is None or row.price_out is None:
        return None
    return (PROMPT_TOKENS * row.price_in + row.price_out) / MILLION


def send_canaries(
    rows: Sequence[ListedDeployment], gateway: httpx.Client
) -> Iterator[CanaryResult]:
    """Make the calls, one after the other, and yield what came of each."""
    for row in rows:
        if row.deployment is not None:
            started = time.monotonic()
            error = _call(row.deployment, gateway)
            yield CanaryResult(row, error is None, time.monotonic() - started, error or "")


def _call(deployment: str, gateway: httpx.Client) -> str | None:
    """Ask one deployment by its id, so that no fallback answers; return what went wrong."""
    body = {
        "model": deployment,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": 1,
        "num_retries": 0,
        "disable_fallbacks": True,
    }
    try:
        response = gateway.post("/v1/chat/completions", json=body)
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    return None if response.is_success else said(response)


def _cost_text(row: ListedDeployment) -> str:
    cost = most(row)
    return "price not known" if cost is None else f"{cost:.8f} USD"

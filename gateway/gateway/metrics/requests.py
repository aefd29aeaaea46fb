"""Counts requests, attempts, tokens and US dollars as they happen.

Every label has a value of the configuration, never one that a caller chose: an alias that nobody
configured is `other`. So their number is bounded by that of the deployments.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Histogram

from gateway.failover.failure import FailureKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from gateway.failover.record import RequestRecord
    from gateway.failover.registry import Member, Registry

OTHER = "other"
"""Stands for what is not in the configuration: a misspelt alias, a deployment of a caller's own."""

OUTCOMES = ("ok", "caller", "failed")
"""How a request ended: answered, wrong by itself (4xx), not answered (5xx, and 408, 429)."""

ATTEMPT_OUTCOMES = ("answered", "broke-schema", *(kind.value for kind in FailureKind))
DIRECTIONS = ("input", "output")
DEPLOYMENT = ("alias", "model", "deployment")
SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
ID_LENGTH = 8
"""LiteLLM's own ids of deployments are 64 hexadecimal digits, of which so many tell them apart."""

_TIMEOUTS_AND_LIMITS = frozenset({408, 429})


class RequestMetrics:
    """Counts; all but `prepare` are called on the event loop.

    Args:
        collected: where the metrics are collected.
        deployments: those of the router.
    """

    def __init__(self, collected: CollectorRegistry, deployments: Registry) -> None:
        self._deployments = deployments
        self._requests = Counter(
            "gateway_requests",
            "Requests by the alias asked for and how they ended.",
            ("alias", "outcome"),
            registry=collected,
        )
        self._fallbacks = Counter(
            "gateway_fallbacks",
            "Requests for which another alias was asked than the one asked for.",
            ("alias",),
            registry=collected,
        )
        self._attempts = Counter(
            "gateway_attempts",
            "Calls to a deployment, retries and repairs too, by what came of them.",
            (*DEPLOYMENT, "outcome"),
            registry=collected,
        )
        self._seconds = Histogram(
            "gateway_answer_seconds",
            "Seconds of answered requests, from their routing to the end of the answer.",
            ("alias",),
            buckets=SECONDS,
            registry=collected,
        )
        self._first_token = Histogram(
            "gateway_first_token_seconds",
            "Seconds of streamed requests until their first token could leave.",
            ("alias",),
            buckets=SECONDS,
            registry=collected,
        )
        self._tokens = Counter(
            "gateway_tokens",
            "Tokens that were billed, by direction (input, output).",
            (*DEPLOYMENT, "direction"),
            registry=collected,
        )
        self._cost = Counter(
            "gateway_cost_usd",
            "US dollars that were billed, those of answers thrown away too.",
            DEPLOYMENT,
            registry=collected,
        )

    def prepare(self) -> None:
        """Makes the series of every deployment exist, at 0.

        One that begins to exist with its first failure would have no increase to be alarmed by.
        """
        members = list(self._deployments)
        for alias in {OTHER, *(member.target.alias for member in members)}:
            self._fallbacks.labels(alias)
            self._seconds.labels(alias)
            self._first_token.labels(alias)
            for outcome in OUTCOMES:
                self._requests.labels(alias, outcome)
        for member in members:
            names = deployment_labels(member)
            self._cost.labels(*names)
            for direction in DIRECTIONS:
                self._tokens.labels(*names, direction)
            for outcome in ATTEMPT_OUTCOMES:
                self._attempts.labels(*names, outcome)

    def finished(self, record: RequestRecord, status: int) -> None:
        """Counts a request that has ended.

        Args:
            record: of it.
            status: the HTTP status that its caller got.
        """
        alias = self._alias(record.alias)
        for attempt in record.attempts:
            self._attempts.labels(*self._who(attempt.deployment), attempt.outcome).inc()
        outcome = outcome_of(status)
        self._requests.labels(alias, outcome).inc()
        if record.fell_back:
            self._fallbacks.labels(alias).inc()
        if outcome == "ok":
            self._seconds.labels(alias).observe(time.monotonic() - record.started)
        if record.first_token is not None:
            self._first_token.labels(alias).observe(record.first_token - record.started)

    def billed(self, payload: Mapping[str, Any]) -> None:
        """Counts what an answer cost, from the payload that LiteLLM makes its spend row of."""
        names = self._who(str(payload.get("model_id") or ""))
        self._cost.labels(*names).inc(max(0.0, payload.get("response_cost") or 0.0))
        for direction, name in zip(DIRECTIONS, ("prompt_tokens", "completion_tokens"), strict=True):
            self._tokens.labels(*names, direction).inc(payload.get(name) or 0)

    def _alias(self, asked: str) -> str:
        return asked if any(m.target.alias == asked for m in self._deployments) else OTHER

    def _who(self, deployment: str) -> tuple[str, str, str]:
        member = self._deployments.get(deployment)
        return (OTHER, OTHER, OTHER) if member is None else deployment_labels(member)


def deployment_labels(member: Member) -> tuple[str, str, str]:
    """Returns the values of DEPLOYMENT's labels."""
    target = member.target
    return target.alias, target.full_model, target.deployment[:ID_LENGTH]


def outcome_of(status: int) -> str:
    """Returns how a request ended, of OUTCOMES, by the HTTP status that its caller got."""
    if status < 400:  # noqa: PLR2004 -- HTTP's
        return "ok"
    return "failed" if status >= 500 or status in _TIMEOUTS_AND_LIMITS else "caller"  # noqa: PLR2004

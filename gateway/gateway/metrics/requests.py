"""Counts requests, attempts, tokens and US dollars as they happen.

Every label has a value of the configuration, never one that a caller chose: an alias that nobody
configured is `other`. So their number is bounded by that of the deployments.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram

from gateway.routing.failure import FailureKind

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from gateway.config.deployment import Deployment, Models
    from gateway.request import Attempt, Request

OTHER = "other"
"""Stands for what is not in the configuration: a misspelt alias, a deployment of a caller's own."""

OUTCOMES = ("ok", "caller", "failed")
"""How a request ended: answered, wrong by itself (4xx), not answered (5xx, and 408, 429)."""

ATTEMPT_OUTCOMES = ("answered", "broke-schema", *(kind.value for kind in FailureKind))
DIRECTIONS = ("input", "output")
DEPLOYMENT = ("alias", "model", "deployment")
SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)
ID_LENGTH = 8
"""How many of the 64 hexadecimal digits of LiteLLM's ids are enough to tell deployments apart."""

_TIMEOUTS_AND_LIMITS = frozenset({408, 429})


class RequestMetrics:
    """Counts, on the event loop: every series is looked up once, at the start.

    Args:
        collected: where the metrics are collected.
        models: whose deployments are counted.
    """

    def __init__(self, collected: CollectorRegistry, models: Models) -> None:
        self._aliases: dict[str, _AliasSeries] = {}
        self._deployments: dict[str, _DeploymentSeries] = {}
        requests = Counter(
            "gateway_requests",
            "Requests by the alias asked for and how they ended.",
            ("alias", "outcome"),
            registry=collected,
        )
        fallbacks = Counter(
            "gateway_fallbacks",
            "Requests for which a fallback was asked.",
            ("alias",),
            registry=collected,
        )
        attempts = Counter(
            "gateway_attempts",
            "Calls to a deployment, including retries and repairs, by outcome.",
            (*DEPLOYMENT, "outcome"),
            registry=collected,
        )
        seconds = Histogram(
            "gateway_answer_seconds",
            "Seconds of answered requests, from their routing to the end of the answer.",
            ("alias",),
            buckets=SECONDS,
            registry=collected,
        )
        first_token = Histogram(
            "gateway_first_token_seconds",
            "Seconds of streamed requests until their first token could leave.",
            ("alias",),
            buckets=SECONDS,
            registry=collected,
        )
        tokens = Counter(
            "gateway_tokens",
            "Tokens that were billed, by direction (input, output).",
            (*DEPLOYMENT, "direction"),
            registry=collected,
        )
        cost = Counter(
            "gateway_cost_usd",
            "US dollars billed, including those for discarded answers.",
            DEPLOYMENT,
            registry=collected,
        )
        # One that begins to exist with its first failure would have no increase to be alarmed by.
        for alias in (OTHER, *dict.fromkeys(each.alias for each in models.deployments)):
            self._aliases[alias] = _AliasSeries(
                {outcome: requests.labels(alias, outcome) for outcome in OUTCOMES},
                fallbacks.labels(alias),
                seconds.labels(alias),
                first_token.labels(alias),
            )
        for deployment in models.deployments:
            names = deployment_labels(deployment)
            self._deployments[deployment.id] = _DeploymentSeries(
                {outcome: attempts.labels(*names, outcome) for outcome in ATTEMPT_OUTCOMES},
                tokens.labels(*names, DIRECTIONS[0]),
                tokens.labels(*names, DIRECTIONS[1]),
                cost.labels(*names),
            )

    def finished(self, request: Request, status: int) -> None:
        """Count a request that has ended.

        Args:
            request: it.
            status: the HTTP status that its caller got.
        """
        for attempt in request.attempts:
            self._count(attempt)
        if request.is_canary:
            return
        series = self._aliases.get(request.alias) or self._aliases[OTHER]
        outcome = outcome_of(status)
        series.requests[outcome].inc()
        if request.fell_back:
            series.fallbacks.inc()
        if outcome == "ok":
            series.seconds.observe(time.monotonic() - request.started)
        last = request.last
        if last is not None and last.first_token is not None:
            series.first_token.observe(last.first_token - request.started)

    def _count(self, attempt: Attempt) -> None:
        series = self._deployments.get(attempt.deployment.id)
        if series is None:
            return
        series.attempts[attempt.outcome].inc()
        bill = attempt.bill
        if bill is not None:
            series.cost.inc(bill.cost)
            series.input.inc(bill.usage.prompt)
            series.output.inc(bill.usage.completion)


@dataclass(frozen=True)
class _AliasSeries:
    requests: dict[str, Counter]
    fallbacks: Counter
    seconds: Histogram
    first_token: Histogram


@dataclass(frozen=True)
class _DeploymentSeries:
    attempts: dict[str, Counter]
    input: Counter
    output: Counter
    cost: Counter


def deployment_labels(deployment: Deployment) -> tuple[str, str, str]:
    """Return the values of DEPLOYMENT's labels."""
    return deployment.alias, deployment.full_model, deployment.id[:ID_LENGTH]


def outcome_of(status: int) -> str:
    """Return how a request ended, of OUTCOMES, by the HTTP status that its caller got."""
    if status < 400:  # noqa: PLR2004 -- HTTP's
        return "ok"
    return "failed" if status >= 500 or status in _TIMEOUTS_AND_LIMITS else "caller"  # noqa: PLR2004 -- HTTP

"""A deployment's load, for strategies and limits; it is counted in memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.config.deployment import Deployment

MINUTE = 60.0
REQUESTS_PER_1000_TOKENS = 6
"""Azure's formula, by which LiteLLM derives a limit of parallel requests from tokens a minute.

LiteLLM 1.106.2, utils.py `calculate_max_parallel_requests`.
"""


class Load:
    """The load of one deployment. Times are seconds of a monotonic clock.

    Attributes:
        rpm: the limit of requests a minute.
        tpm: the limit of tokens a minute.
        max_parallel: the limit of requests at once.
        in_flight: how many requests it is answering.
        requests: how many requests began in this minute.
        tokens: how many tokens were used by requests that ended in this minute.
        latencies: seconds that the last answers took, per token where tokens were counted.
        first_tokens: seconds to the first token of the last streams.
        measured: when a latency was last recorded.
    """

    __slots__ = (
        "_minute",
        "first_tokens",
        "in_flight",
        "latencies",
        "max_parallel",
        "measured",
        "requests",
        "rpm",
        "tokens",
        "tpm",
    )

    def __init__(self, deployment: Deployment, samples: int = 10) -> None:
        unlimited = float("inf")
        self.rpm = unlimited if deployment.rpm is None else deployment.rpm
        self.tpm = unlimited if deployment.tpm is None else deployment.tpm
        self.max_parallel = _max_parallel(deployment)
        self.in_flight = 0
        self.requests = 0
        self.tokens = 0
        self.latencies: deque[float] = deque(maxlen=samples)
        self.first_tokens: deque[float] = deque(maxlen=samples)
        self.measured = 0.0
        self._minute = 0

    @property
    def is_limited(self) -> bool:
        """Whether it has any limit."""
        return min(self.rpm, self.tpm, self.max_parallel) != float("inf")

    def roll(self, now: float) -> None:
        """Begin a new minute when the last one is over."""
        minute = int(now // MINUTE)
        if minute != self._minute:
            self._minute = minute
            self.requests = self.tokens = 0

    def begin(self, now: float) -> None:
        """Count a request that begins."""
        self.roll(now)
        self.requests += 1
        self.in_flight += 1

    def end(self, now: float, tokens: int = 0) -> None:
        """Count a request that ends, with the tokens that it used."""
        self.roll(now)
        self.tokens += tokens
        self.in_flight -= 1

    def record_latency(
        self, now: float, seconds: float, tokens: int = 0, first_token: float | None = None
    ) -> None:
        """Record how long an answer took.

        Args:
            now: the time.
            seconds: the time for the whole answer.
            tokens: the number of its tokens; 0 to record the time itself, not the time per token.
            first_token: seconds to a stream's first token; None for a plain answer.
        """
        self.latencies.append(seconds / tokens if tokens else seconds)
        if first_token is not None:
            self.first_tokens.append(first_token)
        self.measured = now

    def next_minute_in(self, now: float) -> float:
        """Return the seconds until its requests and tokens are counted from 0 again."""
        return MINUTE - now % MINUTE


def _max_parallel(deployment: Deployment) -> float:
    """Return how many requests at once a deployment may have, by LiteLLM's rule."""
    if deployment.max_parallel is not None:
        return deployment.max_parallel
    if deployment.rpm is not None:
        return deployment.rpm
    if deployment.tpm is not None:
        return max(1, int(deployment.tpm / 1000 * REQUESTS_PER_1000_TOKENS))
    return float("inf")

"""Requests and tokens of the current minute."""

from __future__ import annotations

import math

WINDOW_SECONDS = 60.0


class Window:
    """Count the requests and tokens of one minute, as LiteLLM's limiter does.

    A window begins with the first request after the previous window ended, and ends 60 s later
    (litellm/proxy/hooks/parallel_request_limiter_v3.py, `in_memory_cache_sliding_window`, which is
    a fixed window in spite of its name). Unlike LiteLLM's, it does not count a refused request, and
    none of several limits counts a request that another limit refuses.

    The limit of tokens applies to the tokens used in this window plus those held for requests under
    way. For a request that names no `max_tokens` the upper bound is the model's longest answer,
    often more than the whole limit. LiteLLM then assumes a quarter of the limit at most, and cuts
    the answer there. Here requests are not changed. A request holds its bound or a quarter of the
    limit, whichever is less, and its true tokens count once they are known. So no more than four
    requests at once can exceed a limit, and a lone request is refused only when the minute's tokens
    are used up.

    Attributes:
        rpm: requests a minute; None for no limit.
        tpm: tokens a minute; None for no limit.
        requests: how many were admitted in this window.
        tokens: how many were used by requests that ended in this window.
        held: how many tokens requests under way hold, whichever window they began in.
    """

    __slots__ = ("_started", "held", "requests", "rpm", "tokens", "tpm")

    def __init__(self) -> None:
        self.rpm: int | None = None
        self.tpm: int | None = None
        self.requests = 0
        self.tokens = 0
        self.held = 0
        self._started = -math.inf

    def roll(self, now: float) -> None:
        """Begin a new window if the last one is over."""
        if now - self._started >= WINDOW_SECONDS:
            self._started = now
            self.requests = 0
            self.tokens = 0

    def seconds_left(self, now: float) -> int:
        """Return the whole seconds that are left of the window, at least 1."""
        return max(1, math.ceil(self._started + WINDOW_SECONDS - now))

    def is_idle(self, now: float) -> bool:
        """Return whether this object could be dropped without losing a count."""
        return self.held == 0 and now - self._started >= WINDOW_SECONDS

    def share(self, tokens: int) -> int:
        """Return how many tokens a request with this bound holds."""
        return min(tokens, max(1, self.tpm // 4)) if self.tpm is not None else 0

    def refuses_request(self) -> bool:
        """Return whether one more request is too many; `roll` first."""
        return self.rpm is not None and self.requests >= self.rpm

    def refuses_tokens(self, tokens: int) -> bool:
        """Return whether there is no room for a request with this bound; `roll` first."""
        if self.tpm is None or self.tokens + self.held + self.share(tokens) <= self.tpm:
            return False
        return self.held > 0 or self.tokens >= self.tpm

    def take(self, tokens: int) -> int:
        """Count a request; return the tokens that it holds until its reservation is closed."""
        self.requests += 1
        held = self.share(tokens)
        self.held += held
        return held

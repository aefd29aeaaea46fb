"""The settings of failover; `config` reads them from the environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CanaryRequests = Literal["all", "free", "off"]


@dataclass(frozen=True)
class FailoverSettings:
    """The settings of failover.

    Attributes:
        allowed_fails: how many answers of 500 to 599 in a row a deployment may give and stay in
            use.
        cooldown: the seconds that a deployment is left alone after more such answers, after a hang,
            or after a 429 without Retry-After.
        hang_cooldown_cap: the most seconds that a deployment is left alone for hangs; each hang in
            a row doubles the time.
        retry_after_cap: the longest Retry-After, in seconds, that is obeyed.
        recheck_key: the seconds after which a provider that refused its key is asked again, at a
            free endpoint.
        health_check_interval: the seconds between two health checks of a deployment in cooldown.
        health_check_timeout: the seconds that a health check may take.
        canary_requests: which deployments get canary requests after a hang or 500s: `all`, `free`
            (those whose price is set to 0) or `off`.
        schema_repair: whether answers are checked against the JSON schema that a request names, and
            sent back to the model if they break it.
    """

    allowed_fails: int = 2
    cooldown: float = 5.0
    hang_cooldown_cap: float = 60.0
    retry_after_cap: float = 3600.0
    recheck_key: float = 60.0
    health_check_interval: float = 2.0
    health_check_timeout: float = 2.0
    canary_requests: CanaryRequests = "all"
    schema_repair: bool = True

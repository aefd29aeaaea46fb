"""What can be set about failover; `config` fills it from the environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CanaryRequests = Literal["all", "free", "off"]


@dataclass(frozen=True)
class FailoverSettings:
    """The settings of failover.

    Attributes:
        allowed_fails: answers of 500 to 599 in a row that a deployment may give and stay in use.
        cooldown: seconds that one which gave more, or hung, or sent a 429 without Retry-After, is
            left alone.
        hang_cooldown_cap: seconds; a deployment that hangs again and again is left alone for twice
            as long each time, up to this.
        retry_after_cap: seconds; the longest Retry-After that is believed.
        recheck_key: seconds after which a provider that refused its key is asked, at a free
            endpoint, whether it still does.
        health_check_interval: seconds between two health checks of a deployment in cooldown.
        health_check_timeout: seconds that a health check may take.
        canary_requests: which deployments that hung or answered 500s are asked for a token, to see
            when that ends: `all`, `free` (those whose price is set to 0) or `off`.
        schema_repair: whether an answer is held against the JSON schema that the request asked for.
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

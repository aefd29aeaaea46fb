"""What can be set about failover; the gateway fills it from the environment."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FailoverSettings(BaseModel):
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
        probe_interval: seconds between two looks at a deployment that is out of use.
        probe_timeout: seconds that one look may take.
        probe_calls: which deployments that hung or answered 500s are asked for a token, to see when
            that ends: `all`, `free` (those whose price is set to 0) or `off`.
        schema_repair: whether an answer is held against the JSON schema that the request asked for.
        json_logs: whether the log line of a request is a JSON object.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    allowed_fails: int = Field(default=2, ge=0)
    cooldown: float = Field(default=5.0, ge=0, le=3600)
    hang_cooldown_cap: float = Field(default=60.0, ge=0, le=3600)
    retry_after_cap: float = Field(default=3600.0, gt=0)
    recheck_key: float = Field(default=60.0, gt=0)
    probe_interval: float = Field(default=2.0, gt=0, le=10)
    probe_timeout: float = Field(default=2.0, gt=0, le=10)
    probe_calls: Literal["all", "free", "off"] = "all"
    schema_repair: bool = True
    json_logs: bool = False

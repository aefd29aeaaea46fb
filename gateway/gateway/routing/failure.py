"""What a failed attempt shows about its deployment, and what it means for the caller."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FailureKind(str, Enum):
    """The kinds of failures. Only REQUEST leaves the deployment's state unchanged."""

    UNREACHABLE = "unreachable"  # no connection, or it broke
    UNRESPONSIVE = "unresponsive"  # it took the request and did not answer in time
    FAILING = "failing"  # 5xx, or an answer that cannot be read
    LIMITED = "limited"  # 429
    UNAUTHORISED = "unauthorised"  # 401 or 403 in reply to our own key
    MISSING = "missing"  # 404: the deployment lacks its model
    REQUEST = "request"  # the request's own fault; the deployment is fine


class Refusal(Enum):
    """Why a provider refused a request that another model may accept."""

    CONTEXT_WINDOW = "context_length_exceeded"
    CONTENT_POLICY = "content_policy_violation"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt.

    Attributes:
        kind: what the failure shows about the deployment.
        status: the provider's HTTP status; None when there was none.
        retry_after: the seconds that the provider asked to wait; None when it did not ask.
        message: the provider's message, cut to 2000 characters; "" for none. It is never logged,
            because providers quote prompts and parts of keys.
        refusal: why the request was refused, if that decides which fallbacks are tried.
        error_type: OpenAI's `type` of the provider's error, "" for none.
        error_param: its `param`.
        error_code: its `code`.
    """

    kind: FailureKind
    status: int | None = None
    retry_after: float | None = None
    message: str = ""
    refusal: Refusal | None = None
    error_type: str = ""
    error_param: str | None = None
    error_code: str | None = None

    def __str__(self) -> str:
        return f"{self.kind.value} ({self.status})" if self.status else self.kind.value


class AttemptFailedError(Exception):
    """An attempt that gave no answer; raised by `providers`, handled in `routing`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure

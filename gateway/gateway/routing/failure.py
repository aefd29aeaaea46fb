"""What a failed attempt says: about its deployment, and for the caller."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class FailureKind(str, Enum):
    """Whose fault a failure is, and of which sort. Only REQUEST leaves the deployment as it was."""

    UNREACHABLE = "unreachable"  # no connection, or it broke
    UNRESPONSIVE = "unresponsive"  # it took the request and did not answer in time
    FAILING = "failing"  # 5xx, or an answer that cannot be read
    LIMITED = "limited"  # 429
    UNAUTHORISED = "unauthorised"  # 401, 403 to our own key
    MISSING = "missing"  # 404: the deployment lacks its model
    REQUEST = "request"  # the request's own fault; the deployment is fine


class Refusal(Enum):
    """Why a provider refused a request, where another model may take it."""

    CONTEXT_WINDOW = "context_length_exceeded"
    CONTENT_POLICY = "content_policy_violation"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt.

    Attributes:
        kind: what it says about the deployment.
        status: the provider's HTTP status; None when there was none.
        retry_after: seconds that the provider asked to wait; None when it did not.
        message: the provider's words, cut to 2000 characters; "" for none. Never logged: providers
            quote prompts and parts of keys.
        refusal: why the request was refused, where that decides about fallbacks.
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
    """An attempt that gave no answer; raised by `providers`, dealt with in `routing`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure

"""What an exception of LiteLLM says about the deployment that it came from.

LiteLLM maps every provider's errors to OpenAI's classes, but not evenly: a refused connection is
an InternalServerError for one provider and an APIConnectionError for the next, both with status
500; a 403 is an APIError or a PermissionDeniedError. What it was made of, its chain of causes,
tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING

from gateway.failover.retry_after import retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class FailureKind(str, Enum):
    """Whose fault a failure is, and of which sort."""

    UNREACHABLE = "unreachable"  # no connection, or it broke
    UNRESPONSIVE = "unresponsive"  # it took the request and did not answer in time
    FAILING = "failing"  # 5xx
    LIMITED = "limited"  # 429
    UNAUTHORISED = "unauthorised"  # 401, 403
    MISSING = "missing"  # 404: the deployment lacks its model
    REQUEST = "request"  # the request's own fault, or the answer's; the deployment is fine


@dataclass(frozen=True)
class Failure:
    """One failed attempt.

    Attributes:
        kind: what it says about the deployment.
        status: the HTTP status, None when there was none.
        retry_after: seconds that the provider asked to wait, None when it did not.
    """

    kind: FailureKind
    status: int | None = None
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.kind.value} ({self.status})" if self.status else self.kind.value


NO_CONNECTION = frozenset(
    {"ConnectError", "ReadError", "WriteError", "NetworkError", "RemoteProtocolError"}
    | {"ClientConnectorError", "ClientPayloadError", "ServerDisconnectedError"}
    | {"ConnectionError", "StreamCutError"}
)
NO_ANSWER = frozenset({"TimeoutException", "TimeoutError", "APITimeoutError", "Timeout"})
AN_ANSWER = frozenset({"HTTPStatusError"})
BY_STATUS = {
    401: FailureKind.UNAUTHORISED,
    403: FailureKind.UNAUTHORISED,
    404: FailureKind.MISSING,
    408: FailureKind.UNRESPONSIVE,
    429: FailureKind.LIMITED,
}
LONGEST_CHAIN = 8


def failure_of(exception: BaseException) -> Failure:
    """Returns what an exception says about its deployment."""
    status = _status(exception)
    after = retry_after_seconds(_headers(exception).get("retry-after"), datetime.now(timezone.utc))
    if status is not None and status < 500:  # noqa: PLR2004 -- 4xx: it did answer
        return Failure(BY_STATUS.get(status, FailureKind.REQUEST), status, after)
    cause = next(filter(None, map(_kind_of_cause, _chain(exception))), None)
    if cause is FailureKind.FAILING and status is None:
        return Failure(FailureKind.REQUEST)
    if cause is None:
        # Without a cause and without a status it is an error in LiteLLM or in the request.
        cause = FailureKind.FAILING if status else FailureKind.REQUEST
    connected = cause is FailureKind.FAILING
    return Failure(cause, status if connected else None, after)


def _chain(exception: BaseException) -> Iterator[BaseException]:
    """Yields an exception and what it was raised from or while handling.

    A retry is made while the attempt before it is handled, so that one's causes are at the end of
    the chain; the first cause that says something is this attempt's own.
    """
    current: BaseException | None = exception
    for _ in range(LONGEST_CHAIN):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def _kind_of_cause(cause: BaseException) -> FailureKind | None:
    names = {base.__name__ for base in type(cause).__mro__}
    if names & AN_ANSWER:
        return FailureKind.FAILING
    if names & NO_ANSWER:
        return FailureKind.UNRESPONSIVE
    return FailureKind.UNREACHABLE if names & NO_CONNECTION else None


def _status(exception: BaseException) -> int | None:
    try:
        status = int(getattr(exception, "status_code", None) or 0)
    except (TypeError, ValueError):
        return None
    return status if 400 <= status <= 599 else None  # noqa: PLR2004 -- the range of errors


def _headers(exception: BaseException) -> Mapping[str, str]:
    """Returns the provider's headers, which LiteLLM keeps beside its own response."""
    for holder in (exception, getattr(exception, "response", None)):
        headers = getattr(holder, "litellm_response_headers", None) or getattr(
            holder, "headers", None
        )
        if headers and hasattr(headers, "items"):
            return {str(name).lower(): str(value) for name, value in headers.items()}
    return {}

"""What exceptions mean: shaped as LiteLLM 1.106.2 was seen to raise them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.failover.failure import Failure, FailureKind, failure_of


class ProviderError(Exception):
    """An exception as LiteLLM maps it: a status, and the provider's headers."""

    def __init__(self, status: int | None, headers: dict[str, str] | None = None) -> None:
        super().__init__("no")
        self.status_code = status
        self.litellm_response_headers = headers


class HTTPStatusError(Exception):
    """Named like httpx's."""


class ConnectError(Exception):
    """Named like httpx's."""


class ReadTimeoutError(TimeoutError):
    """A timeout by inheritance."""


def chained(*errors: Exception) -> Exception:
    """Returns the first error, each raised while the next one was handled."""
    for error, cause in pairwise(errors):
        error.__context__ = cause
    return errors[0]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FailureKind.REQUEST),
        (401, FailureKind.UNAUTHORISED),
        (403, FailureKind.UNAUTHORISED),
        (404, FailureKind.MISSING),
        (408, FailureKind.UNRESPONSIVE),
        (422, FailureKind.REQUEST),
        (429, FailureKind.LIMITED),
    ],
)
def test_a_client_error_is_known_by_its_status(status: int, kind: FailureKind) -> None:
    """Every status below 500 speaks for itself."""
    assert failure_of(ProviderError(status)) == Failure(kind, status)


def test_a_500_that_a_provider_sent_is_failing() -> None:
    """An answer of 500 keeps its status."""
    error = chained(ProviderError(500), HTTPStatusError())
    assert failure_of(error) == Failure(FailureKind.FAILING, 500)


def test_a_500_that_litellm_made_of_a_refused_connection_is_unreachable() -> None:
    """LiteLLM's own status 500 for a refused connection is no answer."""
    error = chained(ProviderError(500), Exception(), ConnectError())
    assert failure_of(error) == Failure(FailureKind.UNREACHABLE)


def test_a_500_that_litellm_made_of_a_timeout_is_unresponsive() -> None:
    """A timeout is found below whatever it was mapped to."""
    error = chained(ProviderError(500), ReadTimeoutError())
    assert failure_of(error).kind is FailureKind.UNRESPONSIVE


def test_the_attempt_before_is_not_blamed_on_this_one() -> None:
    """A retry that got a 500 is not unreachable because the attempt before it was."""
    error = chained(ProviderError(500), HTTPStatusError(), ProviderError(500), ConnectError())
    assert failure_of(error).kind is FailureKind.FAILING


@pytest.mark.parametrize("where", ["litellm_response_headers", "headers"])
def test_retry_after_is_found(where: str) -> None:
    """The provider's Retry-After is read wherever LiteLLM left it, in any case."""
    error = ProviderError(429)
    setattr(error, where, {"Retry-After": "7"})
    assert failure_of(error).retry_after == 7


def test_an_error_without_status_and_cause_is_the_requests_own() -> None:
    """A bug in between does not put a deployment out of use."""
    assert failure_of(ValueError("no")).kind is FailureKind.REQUEST

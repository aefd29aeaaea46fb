"""What a caller is told when nobody answered."""

from __future__ import annotations

from typing import Any
from unittest.mock import AsyncMock

import pytest

from gateway.failover.caller_error import caller_error, fallback_chain
from gateway.failover.failure import Failure, FailureKind
from gateway.failover.record import Attempt, RequestRecord
from gateway.failover.registry import CLOCK, Registry
from gateway.failover.settings import FailoverSettings
from gateway.failover.target import Target


class RouterRateLimitError(ValueError):
    """Named like LiteLLM's, which the router raises when no deployment is left."""


class ProviderError(Exception):
    """An error with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status_code = status


LIMITED = Failure(FailureKind.LIMITED, 429, 30)
REFUSED = Failure(FailureKind.UNREACHABLE)


@pytest.fixture
def registry() -> Registry:
    """Two aliases with a deployment each."""
    registry = Registry(FailoverSettings(), lambda _: None, AsyncMock())
    registry.learn(Target(name, name, "openai", "m", None) for name in ("first", "second"))
    return registry


def put_out(registry: Registry, alias: str, failure: Failure) -> None:
    """Puts the deployment of an alias out of use."""
    for member in registry.of_alias(alias):
        member.state.failed(failure, started=CLOCK(), now=CLOCK())


def test_all_down_is_503_and_says_when_to_come_back(registry: Registry) -> None:
    """The caller learns that nobody is there, why, and when to ask again."""
    put_out(registry, "first", REFUSED)
    put_out(registry, "second", LIMITED)
    error = caller_error(RequestRecord("first"), ["second"], registry, RouterRateLimitError())
    assert error is not None
    assert (error.status, error.retry_after) == (503, 2)
    assert "first: unreachable" in error.message
    assert "second: limited (429)" in error.message


def test_failing_but_still_in_use_is_503_in_the_same_words(registry: Registry) -> None:
    """A provider's 500 that is not yet one too many is worth another try, and soon."""
    record = RequestRecord("first")
    record.attempts = [Attempt("first", "first", "m", failure=Failure(FailureKind.FAILING, 500))]
    error = caller_error(record, [], registry, ProviderError(500))
    assert error is not None
    assert (error.status, error.retry_after) == (503, 1)
    assert error.message == "no model answered for first, try again in 1 s (first: failing (500))"


@pytest.mark.parametrize(
    ("failure", "reported", "status"),
    [
        (REFUSED, ProviderError(500), 503),
        (Failure(FailureKind.UNRESPONSIVE), ProviderError(408), 503),
        (Failure(FailureKind.UNAUTHORISED, 401), ProviderError(401), 503),
        (LIMITED, ProviderError(429), 429),
        (REFUSED, RouterRateLimitError(), 503),
    ],
)
def test_back_in_use_before_the_caller_was_told_is_no_different(
    registry: Registry, failure: Failure, reported: Exception, status: int
) -> None:
    """A probe may find a deployment well again while the request that it failed is still open."""
    record = RequestRecord("first", attempts=[Attempt("first", "first", "m", failure=failure)])
    error = caller_error(record, [], registry, reported)
    assert error is not None
    assert (error.status, error.retry_after) == (status, 1)
    assert f"(first: {failure})" in error.message


def test_a_deployment_back_before_it_was_asked_is_worth_another_try(registry: Registry) -> None:
    """The router found none in use, and a moment later one is."""
    error = caller_error(RequestRecord("first"), [], registry, RouterRateLimitError())
    assert error is not None
    assert (error.status, error.message) == (503, "no model answered for first, try again in 1 s")


def test_a_keys_own_limit_is_left_as_it_is(registry: Registry) -> None:
    """Nobody was asked: the 429 is about the caller's key and says so itself."""
    assert caller_error(RequestRecord("first"), [], registry, ProviderError(429)) is None


def test_all_over_their_limit_is_429(registry: Registry) -> None:
    """When waiting is all it takes, the status says so, with the shortest wait."""
    put_out(registry, "first", LIMITED)
    error = caller_error(RequestRecord("first"), [], registry, ProviderError(429))
    assert error is not None
    assert (error.status, error.retry_after) == (429, 30)


def test_a_providers_401_is_not_the_callers(registry: Registry) -> None:
    """A refused provider key is no reason for a caller to doubt its own."""
    put_out(registry, "first", Failure(FailureKind.UNAUTHORISED, 401))
    error = caller_error(RequestRecord("first"), [], registry, ProviderError(401))
    assert error is not None
    assert error.status == 503


def test_a_bad_request_is_left_as_it_is(registry: Registry) -> None:
    """LiteLLM's own error is the best there is for a request that is wrong."""
    put_out(registry, "first", REFUSED)
    assert caller_error(RequestRecord("first"), [], registry, ProviderError(400)) is None


def test_the_fallbacks_refusal_is_told_rather_than_the_primarys_absence(
    registry: Registry,
) -> None:
    """When the fallback found the request wrong, that is what the caller can act on."""
    put_out(registry, "first", REFUSED)
    record = RequestRecord("first", attempts=[Attempt("second", "second", "m")])
    record.last_error = ProviderError(400)
    error = caller_error(record, ["second"], registry, RouterRateLimitError())
    assert error is not None
    assert (error.status, error.message) == (400, "status 400")


def test_a_broken_schema_is_a_bad_gateway(registry: Registry) -> None:
    """That no model kept to the schema is not the caller's fault."""
    record = RequestRecord("first", attempts=[Attempt("first", "1", "m", broken_schema=True)])
    error = caller_error(record, [], registry, ProviderError(422))
    assert error is not None
    assert error.status == 502


def test_a_stream_that_has_begun_keeps_its_own_error(registry: Registry) -> None:
    """After the first token no status can be sent any more, only an event."""
    put_out(registry, "first", REFUSED)
    record = RequestRecord("first", was_answered=True)
    assert caller_error(record, [], registry, ProviderError(502)) is None


@pytest.mark.parametrize(
    ("fallbacks", "chain"),
    [
        (None, []),
        ([{"first": ["second", "third"]}, {"other": ["fourth"]}], ["second", "third"]),
        ([{"*": ["second"]}], ["second"]),
        (["second"], ["second"]),
        ([{"model": "second", "messages": []}], ["second"]),
    ],
)
def test_the_chain_is_read_in_every_form(fallbacks: Any, chain: list[str]) -> None:  # noqa: ANN401
    """The router's fallbacks and both forms of a request's own are understood."""
    assert fallback_chain("first", fallbacks) == chain

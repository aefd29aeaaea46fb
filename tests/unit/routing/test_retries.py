"""How often an alias is asked again, and how long is waited before."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from gateway.config.deployment import RouterSettings
from gateway.providers.retry_after import retry_after_seconds
from gateway.request import Controls
from gateway.routing.failure import Failure, FailureKind
from gateway.routing.retries import JITTER, RetryRules
from unit.routing import fakes
from unit.routing.fakes import deployment, request, routing


def retries(failure: Failure, controls: Controls | None = None, **router: Any) -> int:
    """Return how often a failure is retried."""
    rules = RetryRules(RouterSettings(**{"num_retries": 2, **router}))
    asked = request(controls=controls or Controls())
    return rules.retries(asked, deployment("first"), failure)


@pytest.mark.parametrize(
    ("failure", "number"),
    [
        (fakes.DEAD, 2),
        (fakes.ERROR, 2),
        (fakes.SILENT, 2),
        (fakes.LIMITED, 2),
        (fakes.BAD, 0),
        (fakes.TOO_LONG, 0),
        (Failure(FailureKind.REQUEST, 408), 2),
        (Failure(FailureKind.REQUEST, 409), 2),
        (Failure(FailureKind.REQUEST, 422), 0),
    ],
)
def test_only_what_another_try_can_mend_is_retried(failure: Failure, number: int) -> None:
    """Only a failure that another attempt may mend is retried, as in LiteLLM."""
    assert retries(failure) == number


def test_a_request_or_a_deployment_has_its_own_number() -> None:
    """A request's number of retries wins over its deployment's, and that over the router's."""
    assert retries(fakes.ERROR, Controls(num_retries=5)) == 5
    rules = RetryRules(RouterSettings(num_retries=2))
    own = deployment("first", parameters={"num_retries": "4"})
    assert rules.retries(request(), own, fakes.ERROR) == 4
    assert rules.retries(request(controls=Controls(num_retries=1)), own, fakes.ERROR) == 1


@pytest.mark.parametrize(
    ("failure", "name"),
    [
        (fakes.LIMITED, "RateLimitErrorRetries"),
        (fakes.SILENT, "TimeoutErrorRetries"),
        (fakes.UNAUTHORISED, "AuthenticationErrorRetries"),
        (fakes.MISSING, "NotFoundErrorRetries"),
        (fakes.ERROR, "InternalServerErrorRetries"),
        (fakes.DEAD, "InternalServerErrorRetries"),
        (Failure(FailureKind.FAILING, 503), "ServiceUnavailableErrorRetries"),
        (fakes.BAD, "BadRequestErrorRetries"),
        (fakes.TOO_LONG, "BadRequestErrorRetries"),
        (fakes.REFUSED, "ContentPolicyViolationErrorRetries"),
        (fakes.REFUSED, "BadRequestErrorRetries"),
        (Failure(FailureKind.FAILING, 502), "DefaultRetries"),
    ],
)
def test_a_policy_names_retries_by_litellms_errors(failure: Failure, name: str) -> None:
    """A retry policy sets retries by LiteLLM's error, unless a request wants none."""
    assert retries(failure, retry_policy={name: 7}) == 7
    assert retries(failure, Controls(num_retries=1), retry_policy={name: 7}) == 7
    assert retries(failure, Controls(num_retries=0), retry_policy={name: 7}) == 0
    other = {"first": {name: 3}}
    assert retries(failure, retry_policy={name: 7}, alias_retry_policies=other) == 3


@pytest.mark.parametrize(
    ("failure", "retry", "least"),
    [
        (fakes.ERROR, 0, 0.5),
        (fakes.ERROR, 1, 1.0),
        (fakes.ERROR, 99, 8.0),
        (Failure(FailureKind.FAILING, 503, 3.0), 0, 3.0),
        (Failure(FailureKind.FAILING, 503, 600.0), 0, 0.5),
    ],
)
def test_the_pause_doubles_or_is_the_providers(failure: Failure, retry: int, least: float) -> None:
    """The pause before a retry doubles up to 8 s, or is the provider's if that is not too long."""
    assert least <= RetryRules(RouterSettings()).pause(failure, retry) <= least + JITTER


async def test_with_another_deployment_in_use_it_is_asked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With another deployment in use, a retry goes there at once, without a pause."""
    monkeypatch.delattr(RetryRules, "pause")

    twins = [deployment("first", name) for name in "ab"]
    async with routing(*twins) as made:
        made.provider.default["a"] = fakes.ERROR
        for _ in range(10):
            assert await made.text() == "fine"
            assert [outcome for _, outcome in made.outcomes()][-1] == "answered"
            assert made.outcomes().count(("a", "failing")) <= 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("7", 7.0), ("0.5", 0.5), ("-1", None), ("inf", None), ("soon", None)],
)
def test_retry_after_is_read_in_seconds(value: str | None, seconds: float | None) -> None:
    """A Retry-After in seconds is read with its fraction, and nonsense is ignored."""
    now = datetime.now(timezone.utc)
    assert retry_after_seconds(value, now) == seconds


def test_retry_after_is_read_as_a_date() -> None:
    """A Retry-After may be an HTTP date, and one in the past means now."""
    now = datetime(2026, 11, 27, 12, 0, 0, tzinfo=timezone.utc)
    assert retry_after_seconds("Fri, 27 Nov 2026 12:00:30 GMT", now) == 30
    assert retry_after_seconds("Fri, 27 Nov 2026 11:00:00 GMT", now) == 0

"""The response headers: which deployment answered, and how it came to that."""

from __future__ import annotations

import pytest

from gateway.request import Attempt, Bill, Request, Usage
from gateway.routing.report import response_headers
from unit.routing import fakes
from unit.routing.fakes import deployment, request


@pytest.fixture
def asked() -> Request:
    """Return a request that `first` did not take and `second` answered at the second try."""
    made = request()
    second = deployment("second", base="http://there/v1?key=x")
    usage = Usage(1, 1)
    made.attempts = [
        Attempt(deployment("first"), 1, failure=fakes.DEAD),
        Attempt(second, 2, broke_schema=True, bill=Bill(usage, 0.25)),
        Attempt(second, 3, bill=Bill(usage, 0.5)),
    ]
    return made


def test_headers_say_who_answered_instead_of_whom(asked: Request) -> None:
    """Response headers name the deployment that answered and the alias it fell back from."""
    assert response_headers(asked) == {
        "x-gateway-attempts": "3",
        "x-gateway-fallback": "true; from=first",
        "x-gateway-alias": "second",
        "x-gateway-deployment": "second",
        "x-gateway-model": "openai/model-of-second",
        "x-gateway-outcomes": "unreachable,broke-schema,answered",
        "x-gateway-cost": "0.5",
        "x-gateway-wasted-cost": "0.2500000000",
        "x-litellm-call-id": asked.id,
        "x-litellm-model-id": "second",
        "x-litellm-model-name": "openai/model-of-second",
        "x-litellm-model-group": "second",
        "x-litellm-model-api-base": "http://there/v1",
        "x-litellm-attempted-retries": "0",
        "x-litellm-attempted-fallbacks": "1",
        "x-litellm-response-cost": "0.5",
    }


@pytest.mark.parametrize(
    ("cost", "priced", "ours", "litellms"),
    [(0.5, True, "0.5", "0.5"), (0.0, True, "0.0", None), (0.0, False, None, None)],
)
def test_a_cost_of_nothing_is_told_and_an_unknown_one_is_not(
    *, cost: float, priced: bool, ours: str | None, litellms: str | None
) -> None:
    """A cost of 0 is in the gateway's header alone, and an unknown cost is in none."""
    made = request()
    made.attempts = [Attempt(deployment("first"), 1, bill=Bill(Usage(), cost, priced))]
    headers = response_headers(made)
    assert headers.get("x-gateway-cost") == ours
    assert headers.get("x-litellm-response-cost") == litellms


def test_nobody_answered() -> None:
    """An error's headers count every answer that was thrown away as wasted cost."""
    made = request()
    bill = Bill(Usage(1, 1), 0.25)
    made.attempts = [
        Attempt(deployment("first"), number, broke_schema=True, bill=bill) for number in (1, 2)
    ]
    headers = response_headers(made)
    assert headers["x-gateway-wasted-cost"] == "0.5000000000"
    assert headers["x-litellm-response-cost"] == "0"
    assert not {"x-gateway-cost", "x-litellm-model-id"} & headers.keys()


def test_without_an_attempt_a_callers_alias_cannot_add_a_header() -> None:
    """A caller's alias cannot add a header: bad characters are replaced, and it is cut."""
    headers = response_headers(request("ä\r\nx: y" + "x" * 5000))
    assert headers["x-gateway-alias"].startswith("???x: y")
    assert len(headers["x-gateway-alias"]) == 1000
    assert headers["x-gateway-attempts"] == "0"

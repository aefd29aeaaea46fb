"""Routing strategies, each shown with a fast and a slow deployment; fallbacks by kind of error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from support.own_config import own_configuration
from support.scripted import ask, control, ledger, play
from support.stack import Stack
from support.wait import until

MODEL = "openai/gpt-4o-mini"
SLOW_SECONDS = 6
"""Far more than a fast answer takes where other stacks keep the machine busy."""
UPSTREAM = "http://scripted-upstream:9000"
PATIENT_SECONDS = 60
GIVEN_UP_SECONDS = 5
RECOVERY_SECONDS = 10
SICK = {"hanging": {"stall": 600}, "failing": {"error": "server_error"}}


def deployment(alias: str, name: str) -> dict[str, Any]:
    """Return a deployment of an alias at the virtual upstream of that name."""
    place = {"api_base": f"{UPSTREAM}/u/{name}/v1", "api_key": f"sk-{name}"}
    return {"model_name": alias, "litellm_params": {"model": MODEL, **place}}


CONFIG = {
    "model_list": [
        deployment("pair", "fast"),
        deployment("pair", "slow"),
        deployment("small", "small"),
        deployment("strict", "strict"),
        deployment("broken", "broken"),
        deployment("silent", "silent"),
        deployment("hanging", "hanging"),
        deployment("failing", "failing"),
        deployment("large", "large"),
        deployment("lenient", "lenient"),
        deployment("spare", "spare"),
    ],
    "router_settings": {
        "context_window_fallbacks": [{"small": ["large"]}],
        "content_policy_fallbacks": [{"strict": ["lenient"]}],
        "fallbacks": [{name: ["spare"]} for name in ("broken", "silent", "hanging", "failing")],
    },
}
SCRIPT = {
    "upstreams": {"slow": {"stall": SLOW_SECONDS}},
    "rules": [
        {"match": {"key": "^sk-small$"}, "do": {"error": "context_window"}},
        {"match": {"key": "^sk-strict$"}, "do": {"error": "content_policy"}},
        {"match": {"key": "^sk-broken$"}, "do": {"close": True}},
        {"match": {"key": "^sk-silent$"}, "do": {"stall": 60}},
    ],
}


@pytest.fixture(scope="module")
def routed() -> Iterator[Stack]:
    """Yield a stack with these deployments; each test starts its gateway with its strategy."""
    environment = {
        **own_configuration("routing", CONFIG),
        "COMPOSE_PROFILES": "faults",
    }
    with Stack(environment) as running:
        running.compose("up", "--detach", "--build", "scripted-upstream")
        running.wait_for("scripted-upstream", "healthy", seconds=60)
        yield running


def start(stack: Stack, strategy: str, timeout: int = GIVEN_UP_SECONDS) -> str:
    """Start the gateway with a strategy, the upstream's books empty; return the backend's key."""
    variables = {"ROUTING_STRATEGY": strategy, "REQUEST_TIMEOUT": str(timeout)}
    stack.compose("up", "--detach", "--no-build", "gateway", **variables)
    stack.wait_for("gateway", "healthy", seconds=120)
    play(stack, SCRIPT)
    return stack.secret("backend_virtual_key")


def shares(stack: Stack, key: str, requests_made: int, *, at_once: int) -> Counter[str]:
    """Return how many of some requests went to the fast and to the slow deployment."""
    before = asked(stack)
    with ThreadPoolExecutor(at_once) as callers:
        answers = list(callers.map(lambda _: ask(stack, key, "pair"), range(requests_made)))
    assert {answer.status_code for answer in answers} == {200}
    return asked(stack) - before


def asked(stack: Stack) -> Counter[str]:
    """Return the requests so far by virtual upstream."""
    rows = ledger(stack)["rows"]
    return Counter({row["key"].removeprefix("sk-"): row["requests"] for row in rows})


def test_simple_shuffle_takes_either(routed: Stack) -> None:
    """Speed does not matter to it: each deployment gets a share near the half."""
    key = start(routed, "simple-shuffle", PATIENT_SECONDS)

    found = shares(routed, key, 60, at_once=12)

    assert found["fast"] + found["slow"] == 60
    assert min(found["fast"], found["slow"]) >= 15  # fewer comes once in 23,000 runs


def test_least_busy_spares_the_one_that_still_works(routed: Stack) -> None:
    """With four callers the slow deployment is always busier, so the fast one gets most."""
    key = start(routed, "least-busy", PATIENT_SECONDS)

    found = shares(routed, key, 60, at_once=4)

    assert found["fast"] >= 3 * found["slow"], found
    assert found["slow"] >= 1


def test_latency_based_routing_takes_the_faster(routed: Stack) -> None:
    """Once both have been tried, the slow deployment is left alone."""
    key = start(routed, "latency-based-routing", PATIENT_SECONDS)
    shares(routed, key, 12, at_once=4)

    found = shares(routed, key, 20, at_once=1)

    assert found["fast"] >= 18, found


@pytest.fixture(scope="module")
def key(routed: Stack) -> str:
    """Return the backend's key of a gateway with the default strategy."""
    return start(routed, "simple-shuffle")


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_too_long_goes_to_the_larger_model(
    routed: Stack, key: str, *, stream: bool
) -> None:
    """context_window_fallbacks answer what the first model has no room for."""
    answer = ask(routed, key, "small", stream=stream)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gateway-alias"] == "large"


@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_prompt_goes_to_the_other_policy(
    routed: Stack, key: str, *, stream: bool
) -> None:
    """content_policy_fallbacks answer what the first provider's filter refuses."""
    answer = ask(routed, key, "strict", stream=stream)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gateway-alias"] == "lenient"


def test_a_request_may_name_its_own_fallbacks(routed: Stack, key: str) -> None:
    """`fallbacks` in the request wins over the configuration's."""
    answer = ask(routed, key, "broken", fallbacks=["large"])

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gateway-alias"] == "large"


def test_a_request_may_do_without_fallbacks(routed: Stack, key: str) -> None:
    """`disable_fallbacks` returns the first deployment's trouble, and nobody else is asked."""
    before = asked(routed)["spare"]

    answer = ask(routed, key, "broken", disable_fallbacks=True)

    assert answer.status_code == 503, answer.text
    assert asked(routed)["spare"] == before


def test_a_request_may_wait_less(routed: Stack, key: str) -> None:
    """`timeout` in seconds, in the request: the fallback answers long before REQUEST_TIMEOUT."""
    answer = ask(routed, key, "silent", timeout=1)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gateway-alias"] == "spare"
    assert answer.elapsed.total_seconds() < 30


@pytest.mark.parametrize("alias", SICK)
def test_what_lists_its_models_and_does_not_answer(routed: Stack, key: str, alias: str) -> None:
    """In cooldown no request tries it; within 10 s of its recovery it answers, by a booked call."""

    def answered_by() -> tuple[str, str]:
        answer = ask(routed, key, alias)
        assert answer.status_code == 200, answer.text
        return answer.headers["x-gateway-alias"], answer.headers["x-gateway-attempts"]

    sick = {"name": alias, "match": {"key": f"^sk-{alias}$"}, "do": SICK[alias]}
    play(routed, SCRIPT | {"rules": [*SCRIPT["rules"], sick]})
    until(lambda: answered_by() == ("spare", "1"), seconds=60, what="its cooldown")
    seen = calls_to_the_sick(routed, alias)
    until(
        lambda: calls_to_the_sick(routed, alias) >= seen + 2,
        seconds=30,
        what="two more canary requests",
    )
    assert answered_by() == ("spare", "1")
    assert probe_costs(routed, alias) == []  # nobody answered, nothing was paid

    play(routed, SCRIPT)

    until(
        lambda: answered_by() == (alias, "1"),
        seconds=RECOVERY_SECONDS,
        what="it to be in use again",
    )
    until(lambda: probe_costs(routed, alias), seconds=30, what="the canary request's row")
    assert min(probe_costs(routed, alias)) > 0


def calls_to_the_sick(stack: Stack, alias: str) -> int:
    """Return how many calls met an alias's sickness, those that still wait for an answer too."""
    answer = requests.get(f"{control(stack)}/journal", params={"rule": alias}, timeout=10)
    return len(answer.json()["requests"])


def probe_costs(stack: Stack, alias: str) -> list[float]:
    """Return what the gateway's canary requests to an alias cost, in USD."""
    rows = stack.sql(
        """SELECT spend FROM "LiteLLM_SpendLogs"
        WHERE team_id = 'litellm-internal-health-check' AND model_group = %s""",
        alias,
    )
    return [row["spend"] for row in rows]

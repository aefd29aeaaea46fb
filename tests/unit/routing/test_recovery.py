"""What brings a deployment back: health checks that cost nothing, and canary requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from gateway.config.deployment import Deployment, Protocol
from gateway.routing.canary import AT_ONCE, takes_canary_requests
from gateway.routing.failure import Failure, FailureKind
from gateway.routing.health_check import HealthChecker
from gateway.routing.settings import CanaryRequests
from unit.routing import fakes
from unit.routing.fakes import FAST, Hang, deployment, routing, run, until

KEY = "sk-made-up-key-of-a-provider"
REASONS = [FailureKind.UNREACHABLE, FailureKind.UNAUTHORISED]


@asynccontextmanager
async def server(status: int, text: str = "{}") -> AsyncIterator[tuple[str, list[web.Request]]]:
    """Yield the base URL of a server that answers everything so, and what it was asked."""
    asked: list[web.Request] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        assert isinstance(request, web.BaseRequest)
        asked.append(request)  # type: ignore[arg-type] # as much of it as is looked at
        return web.Response(status=status, text=text, content_type="application/json")

    async with RawTestServer(answer) as serving:
        yield f"http://127.0.0.1:{serving.port}", asked


def found(
    reason: FailureKind,
    status: int,
    text: str = "{}",
    **changes: Any,
) -> tuple[bool, list[str]]:
    """Return what a health check finds, and the paths that it asked for."""
    results: list[bool] = []
    paths: list[str] = []

    async def test() -> None:
        async with server(status, text) as (base, asked):
            checker = HealthChecker(10.0)
            checked = replace(deployment("first"), base=base, key=KEY, **changes)
            results.append(await checker.is_healthy(checked, reason))
            await checker.close()
            paths.extend(request.path for request in asked)
            assert all(r.method == "GET" for r in asked)

    run(test())
    return results[0], paths


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize(
    ("status", "healthy"),
    [(200, True), (302, True), (404, True), (405, True), (501, True), (500, False), (502, False)],
)
def test_a_server_that_answers_is_reachable_even_without_a_list_of_models(
    reason: FailureKind, status: int, *, healthy: bool
) -> None:
    """Any answer but 500 or 502 to a request for its models shows that a server is there."""
    assert found(reason, status) == (healthy, ["/models"])


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_good_when_it_is_taken(status: int) -> None:
    """A 401 or 403 shows that a server is reachable, but not that it takes a refused key."""
    assert not found(FailureKind.UNAUTHORISED, status)[0]
    assert found(FailureKind.UNREACHABLE, status)[0]
    worker: dict[str, Any] = {"protocol": Protocol.WORKER, "provider": "anthropic"}
    assert found(FailureKind.UNAUTHORISED, status, **worker) == (False, ["/v1/models"])


@pytest.mark.parametrize(
    ("model", "status", "text", "healthy"),
    [
        ("llama3.2", 200, '{"models": [{"name": "llama3.2:latest"}]}', True),
        ("llama3.2:1b", 200, '{"models": [{"name": "llama3.2:latest"}]}', False),
        ("llama3.2", 404, "", True),
        ("llama3.2", 500, "", False),
        ("llama3.2", 200, "<html>", False),
        ("llama3.2", 200, "[]", False),
    ],
)
def test_ollama_is_back_when_it_lists_the_model(
    model: str, status: int, text: str, *, healthy: bool
) -> None:
    """Ollama is back when it lists the deployment's model, not while it still pulls it."""
    ollama: dict[str, Any] = {
        "protocol": Protocol.OLLAMA,
        "provider": "ollama_chat",
        "model": model,
    }
    assert found(FailureKind.UNREACHABLE, status, text, **ollama) == (healthy, ["/api/tags"])


def test_what_is_not_looked_at_is_asked_nothing() -> None:
    """After a rate limit, or for an API that only LiteLLM knows, a health check asks nothing."""
    assert found(FailureKind.LIMITED, 500) == (True, [])
    worker: dict[str, Any] = {"protocol": Protocol.WORKER, "provider": "cohere"}
    assert found(FailureKind.UNREACHABLE, 500, **worker) == (True, [])


@pytest.mark.parametrize("base", ["http://127.0.0.1:1", "http://[", "nonsense"])
@pytest.mark.parametrize("protocol", Protocol)
async def test_no_answer_is_no_good(base: str, protocol: Protocol) -> None:
    """A health check that gets no answer, whatever the reason, does not end a cooldown."""
    checker = HealthChecker(10.0)
    checked = deployment("first", base=base, protocol=protocol)
    assert not await checker.is_healthy(checked, FailureKind.UNREACHABLE)
    await checker.close()


async def test_it_is_back_in_use_by_itself_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A free health check brings a recovered deployment back, and the log says so."""
    caplog.set_level(logging.INFO, "gateway.routing")

    async with routing() as made:
        made.provider.script["first"] = [fakes.DEAD]
        await made.text()
        await made.until("first")
        await made.text()
        assert made.outcomes() == [("first", "answered")]
        assert made.canaries == []
    assert [record.message for record in caplog.records] == [
        "first (openai/model-of-first) is in cooldown: unreachable",
        "first (openai/model-of-first) is back in use",
    ]


async def test_what_cannot_be_reached_is_in_cooldown_for_every_alias_there() -> None:
    """When an address cannot be reached, every alias's deployments there are in cooldown."""
    pair = [deployment(alias, base="http://127.0.0.1:1") for alias in ("first", "second")]
    async with routing(*pair, deployment("third"), fallbacks={"first": ("third",)}) as made:
        made.provider.script["first"] = [fakes.DEAD]
        await made.text()
        assert made.condition("second") == "down"
        assert made.condition("third") == "up"


@pytest.mark.parametrize("failure", [fakes.SILENT, fakes.ERROR, fakes.MISSING])
async def test_a_canary_request_finds_out_and_no_callers(failure: Failure) -> None:
    """Canary requests, which are billed, find a recovery while callers get the fallback alone."""
    async with routing(num_retries=3) as made:
        made.provider.default["first"] = failure
        await made.text()
        seen = made.provider.calls("first")
        await until(lambda: made.provider.calls("first") >= seen + 2)
        await made.text()
        assert made.outcomes() == [("second", "answered")]
        assert made.canaries == []
        made.provider.default["first"] = "fine"
        await made.until("first")
        await until(lambda: bool(made.canaries))
        canary = made.canaries[0]
        assert canary.is_canary
        assert canary.body["max_tokens"] == 1
        assert canary.last is not None
        assert canary.last.bill is not None
        assert canary.last.bill.cost > 0


async def test_a_canary_request_that_hangs_does_not_keep_it_out() -> None:
    """A canary request that hangs does not delay the next, which ends the cooldown."""
    async with routing(settings=replace(FAST, cooldown=0.01)) as made:
        made.provider.script["first"] = [fakes.SILENT, *[Hang()] * 3]
        await made.text()
        await made.until("first")


async def test_canary_requests_that_hang_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than six canary requests of a deployment are under way at once."""
    checks: list[str] = []

    async def is_healthy(_: HealthChecker, checked: Deployment, __: FailureKind) -> bool:
        checks.append(checked.id)
        return True

    monkeypatch.setattr(HealthChecker, "is_healthy", is_healthy)

    async with routing(settings=replace(FAST, cooldown=0.01)) as made:
        made.provider.script["first"] = [fakes.SILENT]
        made.provider.default["first"] = Hang()
        await made.text()
        await until(lambda: made.provider.calls("first") == 1 + AT_ONCE)
        seen = len(checks)
        await until(lambda: len(checks) >= seen + 4)
        assert made.provider.calls("first") == 1 + AT_ONCE


@pytest.mark.parametrize(
    ("failure", "condition"),
    [(fakes.BAD, "up"), (fakes.LIMITED, "limited"), (fakes.UNAUTHORISED, "unauthorised")],
)
async def test_what_a_canary_request_is_told_is_believed(failure: Failure, condition: str) -> None:
    """A canary request's 400 ends a cooldown; a rate limit or refused key is its new reason."""
    settings = replace(FAST, recheck_key=30)
    async with routing(settings=settings) as made:
        made.provider.script["first"] = [fakes.SILENT]
        made.provider.default["first"] = failure
        await made.text()
        await made.until("first", condition)


async def test_without_canary_requests_one_caller_at_a_time_tries_what_hung() -> None:
    """Without canary requests, one caller tries a deployment that hung, and others fall back."""
    settings = replace(FAST, canary_requests="off", cooldown=0.3)
    async with routing(settings=settings) as made:
        made.provider.script["first"] = [fakes.SILENT]
        made.provider.default["first"] = Hang()
        await made.text()
        await made.until("first")
        trial = asyncio.create_task(made.router.answer(fakes.request()))
        await made.until("first", "down")
        for _ in range(3):
            assert await made.text() == "fine"
            assert made.outcomes() == [("second", "answered")]
        trial.cancel()
        await asyncio.gather(trial, return_exceptions=True)


async def test_a_refused_key_is_told_once_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A key that a provider refuses is logged once, by its variable's name and not its value."""
    monkeypatch.setenv("SOME_API_KEY", KEY)

    pair = (deployment("first", key=KEY), deployment("second"))
    async with routing(*pair, fallbacks={"first": ("second",)}) as made:
        made.provider.default["first"] = fakes.UNAUTHORISED
        for _ in range(3):
            await made.text()
            await made.until("first")
        assert made.router.status()[0]["key"] == "SOME_API_KEY"
        assert KEY not in str(made.router.status())
    told = [record for record in caplog.records if "refused the key" in record.message]
    assert [record.levelname for record in told] == ["ERROR"]
    assert "SOME_API_KEY" in told[0].message
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("mode", "price", "allowed", "taken"),
    [
        ("chat", 0.1, "all", True),
        ("chat", 0.1, "free", False),
        ("chat", 0, "free", True),
        ("chat", 0, "off", False),
        ("embedding", 0, "all", False),
    ],
)
def test_who_gets_canary_requests(
    mode: str, price: float, allowed: CanaryRequests, *, taken: bool
) -> None:
    """Canary requests go to chat deployments alone; `free` means free ones only, `off` none."""
    prices = {"input_cost_per_token": price, "output_cost_per_token": price}
    assert takes_canary_requests(deployment("first", mode=mode, price=prices), allowed) is taken

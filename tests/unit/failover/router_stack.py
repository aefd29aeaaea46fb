"""LiteLLM's router in this process, in front of providers that fail on command."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.failover.record import RequestRecord, begin_record
from gateway.failover.settings import FailoverSettings
from unit.failover.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from gateway.failover.failover import Failover

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it is fetched from the net

FAST = FailoverSettings(
    allowed_fails=1, cooldown=0.3, hang_cooldown_cap=0.6, recheck_key=0.2, probe_interval=0.05
)
KEY = "sk-made-up-key-of-a-provider"
PRICE = 0.001
REQUEST_ID = "9f0c2b4e-0d5b-4c1e-8a51-6d1c2f3a4b5c"
ONE, TWO = "primary-at-one", "second-at-two"
FALLBACK = (TWO, "answered")
PROVIDERS = ["openai", "ollama_chat"]
SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
IN_SCHEMA = {"type": "json_schema", "json_schema": {"name": "number", "schema": SCHEMA}}
TIMEOUT = 1.0


@dataclass
class Stack:
    """A router with failover, and the providers behind it.

    Attributes:
        said: what failover told the log.
        lines: the log lines of requests.
        record: of the last request.
    """

    primary: Upstream
    second: Upstream
    router: Any
    failover: Failover
    said: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    record: RequestRecord = field(default_factory=lambda: RequestRecord(""))

    async def ask(self, model: str = "primary", **parameters: Any) -> Any:  # noqa: ANN401
        """Returns the router's response to one request."""
        self.record = begin_record(model, REQUEST_ID)
        messages = [{"role": "user", "content": "Der Apfel ist rot."}]
        return await self.router.acompletion(model=model, messages=messages, **parameters)

    async def text(self, model: str = "primary", **parameters: Any) -> str:  # noqa: ANN401 -- the request's
        """Returns the answer to one request; a stream's is put together."""
        response = await self.ask(model, **parameters)
        if not parameters.get("stream"):
            return str(response.choices[0].message.content)
        chunks = [chunk async for chunk in response]
        assert "stop" in [chunk.choices[0].finish_reason for chunk in chunks]
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    def outcomes(self) -> list[tuple[str, str]]:
        """Returns who was asked by the last request, and what came of it."""
        return [(attempt.deployment, attempt.outcome) for attempt in self.record.attempts]

    def condition(self, alias: str) -> list[str]:
        """Returns how the deployments of an alias are."""
        return [m.state.condition.value for m in self.failover.registry.of_alias(alias)]

    async def until_up(self, alias: str) -> None:
        """Waits, for seconds at most, until every deployment of an alias is in use."""
        await until(lambda: set(self.condition(alias)) == {"up"})


async def until(is_so: Callable[[], bool]) -> None:
    """Waits, for seconds at most, until something is so."""
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 -- nothing tells when
            await asyncio.sleep(0.005)


def deployment(alias: str, upstream: Upstream, provider: str = "openai") -> dict[str, Any]:
    """Returns an entry of a model_list."""
    parameters: dict[str, Any] = {
        "model": f"{provider}/llama3.2",
        "api_base": upstream.base if provider == "ollama_chat" else f"{upstream.base}/v1",
        "api_key": KEY,
        "input_cost_per_token": PRICE,
        "output_cost_per_token": PRICE,
    }
    return {
        "model_name": alias,
        "litellm_params": parameters,
        "model_info": {"id": f"{alias}-at-{upstream.name}"},
    }


@asynccontextmanager
async def stack(
    settings: FailoverSettings = FAST, *, provider: str = "openai", twins: bool = False
) -> AsyncIterator[Stack]:
    """Yields a stack: `primary` falls back to `second`; with twins, both serve `primary`."""
    import litellm  # noqa: PLC0415 -- seconds, and not for every test

    # A gateway has it imported; the first probe call here would stop the loop for these seconds.
    import litellm.proxy.litellm_pre_call_utils  # noqa: PLC0415 -- as above

    from gateway.failover.failover import Failover  # noqa: PLC0415 -- imports LiteLLM

    primary, second = Upstream("one"), Upstream("two")
    await primary.start()
    await second.start()
    router = litellm.Router(
        model_list=[
            deployment("primary", primary, provider),
            deployment("primary" if twins else "second", second),
        ],
        fallbacks=[] if twins else [{"primary": ["second"]}],
        num_retries=1,
        timeout=TIMEOUT,
    )
    said: list[str] = []
    lines: list[str] = []
    failover = Failover(settings, lambda message, _: said.append(message), lines.append)
    failover.attach(router)
    litellm.callbacks = [failover.callback]
    try:
        yield Stack(primary, second, router, failover, said, lines)
    finally:
        litellm.logging_callback_manager._reset_all_callbacks()
        await failover.registry.close()
        await primary.stop()
        await second.stop()


class Run:
    """Runs a test's coroutine on the session's loop."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def __call__(self, test: Coroutine[Any, Any, None]) -> None:
        """Runs it to its end, for half a minute at most."""

        async def bounded() -> None:
            async with asyncio.timeout(30):
                await test

        self._runner.run(bounded())

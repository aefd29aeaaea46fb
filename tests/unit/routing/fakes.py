"""Providers that answer, fail and hang on command, and a router in front of them."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.access.caller import Caller
from gateway.config.deployment import Deployment, Models, Protocol, RouterSettings
from gateway.providers.reply import PlainReply, Provider, StreamReply, Timeouts
from gateway.request import Bill, Controls, Operation, Request, Usage
from gateway.routing.answer import Answer
from gateway.routing.failure import AttemptFailedError, Failure, FailureKind, Refusal
from gateway.routing.router import Router
from gateway.routing.settings import FailoverSettings

FAST = FailoverSettings(
    allowed_fails=1,
    cooldown=0.05,
    hang_cooldown_cap=0.1,
    recheck_key=0.05,
    health_check_interval=0.01,
    health_check_timeout=1.0,
)
PRICE = 0.001
"""USD a token, of every deployment."""

DEAD = Failure(FailureKind.UNREACHABLE)
SILENT = Failure(FailureKind.UNRESPONSIVE)
ERROR = Failure(FailureKind.FAILING, 500)
LIMITED = Failure(FailureKind.LIMITED, 429, 30.0)
UNAUTHORISED = Failure(FailureKind.UNAUTHORISED, 401)
MISSING = Failure(FailureKind.MISSING, 404)
BAD = Failure(FailureKind.REQUEST, 400, message="no such parameter", error_param="top_q")
TOO_LONG = Failure(
    FailureKind.REQUEST, 400, message="too many tokens", refusal=Refusal.CONTEXT_WINDOW
)
REFUSED = Failure(
    FailureKind.REQUEST, 400, message="against our policy", refusal=Refusal.CONTENT_POLICY
)
SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
IN_SCHEMA = {"type": "json_schema", "json_schema": {"name": "number", "schema": SCHEMA}}


@dataclass(frozen=True)
class Cut:
    """A stream that gives some words and then breaks."""

    words: str
    failure: Failure = DEAD


class Hang:
    """An answer that never comes."""


class FakeStream(StreamReply):
    """A stream of one chunk a word, after one with the role alone."""

    def __init__(self, words: str, failure: Failure | None, *, with_usage: bool) -> None:
        self.headers = {"x-request-id": "req-1"}
        self._chunks = [_chunk({"role": "assistant", "content": ""})]
        self._chunks += [_chunk({"content": f"{word} "}) for word in words.split()]
        if failure is None:
            self._chunks.append(_chunk({}, "stop"))
            if with_usage:
                self._chunks.append({"id": "id-1", "choices": [], "usage": {"total_tokens": 1}})
        self._failure = failure
        self._words = 0
        self.closed = False

    def __aiter__(self) -> FakeStream:
        return self

    async def __anext__(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        if self._chunks:
            chunk = self._chunks.pop(0)
            self._words += bool(chunk["choices"] and chunk["choices"][0]["delta"].get("content"))
            return chunk
        if self._failure is not None:
            raise AttemptFailedError(self._failure)
        raise StopAsyncIteration

    async def close(self) -> None:
        """Record that nobody wants more."""
        self.closed = True

    @property
    def usage(self) -> Usage:
        """Ten tokens of the prompt, and one for each word."""
        return Usage(10, self._words)


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "id-1", "object": "chat.completion.chunk", "choices": [choice]}


class FakeProvider(Provider):
    """Answers by script.

    Attributes:
        default: what a deployment answers when its script is over, by its id.
        script: what it answers first.
        asked: every call: deployment, body, timeouts.
        streams: that were given.
    """

    def __init__(self) -> None:
        self.default: dict[str, Any] = defaultdict(lambda: "fine")
        self.script: dict[str, list[Any]] = defaultdict(list)
        self.asked: list[tuple[str, dict[str, Any], Timeouts]] = []
        self.streams: list[FakeStream] = []

    async def ask(
        self, deployment: Deployment, request: Request, timeouts: Timeouts
    ) -> PlainReply | StreamReply:
        """Return, or raise, what comes next."""
        self.asked.append((deployment.id, request.body, timeouts))
        script = self.script[deployment.id]
        step = script.pop(0) if script else self.default[deployment.id]
        if isinstance(step, Hang):
            await asyncio.Event().wait()
        if isinstance(step, Failure):
            raise AttemptFailedError(step)
        if isinstance(step, Exception):
            raise step
        words, failure = (step.words, step.failure) if isinstance(step, Cut) else (step, None)
        if request.stream:
            with_usage = bool(request.body.get("stream_options"))
            self.streams.append(FakeStream(words, failure, with_usage=with_usage))
            return self.streams[-1]
        if failure is not None:
            raise AttemptFailedError(failure)
        message = {"role": "assistant", "content": words}
        data = {"id": "id-1", "choices": [{"index": 0, "message": message}]}
        return PlainReply(data, Usage(10, len(words.split())))

    async def close(self) -> None:
        """Do nothing."""

    def calls(self, deployment: str) -> int:
        """Return how often a deployment was asked."""
        return sum(each == deployment for each, _, _ in self.asked)


def deployment(alias: str, name: str | None = None, **changes: Any) -> Deployment:
    """Return a deployment whose id is its alias, or its name."""
    made = Deployment(
        id=name or alias,
        alias=alias,
        provider="openai",
        model=f"model-of-{name or alias}",
        protocol=Protocol.OPENAI,
        price={"input_cost_per_token": PRICE, "output_cost_per_token": PRICE},
    )
    return replace(made, **changes)


_NUMBERS = itertools.count(1)


def request(alias: str = "first", *, stream: bool = False, **changes: Any) -> Request:
    """Return a request for a chat."""
    controls = changes.pop("controls", Controls())
    caller = changes.pop("caller", Caller())
    body = {"model": alias, "messages": [{"role": "user", "content": "Hallo"}], **changes}
    return Request(
        id=f"call-{next(_NUMBERS)}",
        operation=Operation.CHAT,
        alias=alias,
        body=body,
        size=len(str(body)),
        caller=caller,
        controls=controls,
        stream=stream,
    )


def bill(of: Deployment, asked: Request, usage: Usage) -> Bill:
    """Return a price for each token, none for a deployment without one."""
    del asked
    return (
        Bill(usage, usage.total * PRICE, priced=of.is_priced)
        if of.price
        else Bill(usage, 0, priced=False)
    )


@dataclass
class Made:
    """A router, and what it works with.

    Attributes:
        canaries: that were answered.
    """

    router: Router
    provider: FakeProvider
    canaries: list[Request] = field(default_factory=list)
    last: Request | None = None

    async def ask(self, alias: str = "first", *, stream: bool = False, **changes: Any) -> Answer:
        """Return the answer to a request."""
        self.last = request(alias, stream=stream, **changes)
        return await self.router.answer(self.last)

    async def text(self, alias: str = "first", *, stream: bool = False, **changes: Any) -> str:
        """Return the text of an answer; a stream's is put together."""
        answer = await self.ask(alias, stream=stream, **changes)
        if answer.stream is None:
            assert answer.reply is not None
            assert answer.reply.data is not None
            return str(answer.reply.data["choices"][0]["message"]["content"])
        chunks = [chunk async for chunk in answer.stream]
        assert "stop" in [c["finish_reason"] for chunk in chunks for c in chunk["choices"]]
        deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
        return "".join(delta.get("content", "") for delta in deltas).strip()

    def outcomes(self) -> list[tuple[str, str]]:
        """Return who was asked by the last request, and what came of it."""
        assert self.last is not None
        return [(each.deployment.id, each.outcome) for each in self.last.attempts]

    def condition(self, name: str) -> str:
        """Return how a deployment is."""
        return next(s.condition.value for d, s in self.router.states if d.id == name)

    async def until(self, name: str, condition: str = "up") -> None:
        """Wait, for seconds at most, until a deployment is so."""
        await until(lambda: self.condition(name) == condition)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait, for seconds at most, until something is so."""
    for _ in range(5000):
        if is_so():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come to that")


@asynccontextmanager
async def routing(
    *deployments: Deployment,
    settings: FailoverSettings = FAST,
    provider: FakeProvider | None = None,
    store_prompts: bool = False,
    **router: Any,
) -> AsyncIterator[Made]:
    """Yield a router; without deployments `first` falls back to `second`."""
    if not deployments:
        deployments = (deployment("first"), deployment("second"))
        router.setdefault("fallbacks", {"first": ("second",)})
    router.setdefault("num_retries", 1)
    found = provider or FakeProvider()
    canaries: list[Request] = []
    models = Models(deployments, RouterSettings(**router), store_prompts=store_prompts)
    made = Router(models, dict.fromkeys(Protocol, found), settings, bill, canaries.append)
    made.start()
    try:
        yield Made(made, found, canaries)
    finally:
        await made.close()


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test to its end, for some seconds at most."""
    asyncio.run(asyncio.wait_for(test, 20))

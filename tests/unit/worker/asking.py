"""A running worker with an upstream, and what a test asks through it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from gateway.access.caller import Caller
from gateway.config.deployment import Deployment, Protocol
from gateway.providers.reply import PlainReply, StreamReply, Timeouts
from gateway.request import Operation, Request, Usage
from gateway.routing.failure import AttemptFailedError, Failure
from gateway.worker.supervisor import Worker
from unit.scripted_upstream.running import Running

Json = dict[str, Any]
MESSAGES: list[Json] = [{"role": "user", "content": "Was heißt schlafen?"}]
MODELS = {"anthropic": "claude-haiku-4-5", "gemini": "gemini-2.5-flash"}


@dataclass
class Streamed:
    """A stream that was read: its chunks, usage, and how it failed."""

    chunks: list[Json]
    usage: Usage
    failure: Failure | None

    @property
    def text(self) -> str:
        """The text that the chunks bring."""
        choices = [choice for chunk in self.chunks for choice in chunk["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def finish_reasons(self) -> list[str]:
        """Why it says that it is over."""
        choices = [choice for chunk in self.chunks for choice in chunk["choices"]]
        return [each["finish_reason"] for each in choices if each.get("finish_reason")]


def deployment_at(url: str, provider: str, **parameters: object) -> Deployment:
    """Return a deployment of a provider that is at `url`."""
    return Deployment(
        id="d",
        alias="a",
        provider=provider,
        model=MODELS[provider],
        protocol=Protocol.WORKER,
        base=f"{url}/v1beta" if provider == "gemini" else url,
        key="made-up",
        parameters={"model": f"{provider}/{MODELS[provider]}", "rpm": 5, **parameters},
    )


def request_with(body: Json, operation: Operation = Operation.CHAT) -> Request:
    """Return a request."""
    return Request(
        id="call-1",
        operation=operation,
        alias="a",
        body={"model": "a", **body},
        size=1,
        caller=Caller(),
        stream=body.get("stream") is True,
    )


@dataclass
class Asking:
    """Asks the worker."""

    worker: Worker
    upstream: Running
    runner: asyncio.Runner

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run something on the worker's event loop."""
        return self.runner.run(asyncio.wait_for(coroutine, 120))

    def script(self, do: str = "") -> None:
        """Let the upstream do something with every call."""
        self.upstream.script(f"rules:\n  - name: all\n    do: {do}\n" if do else "")

    def plain(
        self,
        provider: str,
        body: Json | None = None,
        *,
        operation: Operation = Operation.CHAT,
        answer: float = 20,
        url: str = "",
    ) -> PlainReply:
        """Return a plain answer."""
        base = deployment_at(url or self.upstream.url, provider)
        request = request_with({"messages": MESSAGES} if body is None else body, operation)
        reply = self.run(self.worker.provider.ask(base, request, Timeouts(0.5, answer)))
        assert isinstance(reply, PlainReply)
        return reply

    def failure(
        self, provider: str, body: Json | None = None, *, answer: float = 20, url: str = ""
    ) -> Failure:
        """Return how an answer failed."""
        try:
            self.plain(provider, body, answer=answer, url=url)
        except AttemptFailedError as error:
            return error.failure
        raise AssertionError("it was answered")

    def stream(self, provider: str, answer: float = 20, **body: object) -> Streamed:
        """Read a stream to its end."""
        return self.run(self._stream(provider, answer, body))  # type: ignore[no-any-return]

    async def open(self, provider: str, answer: float = 20, **body: object) -> StreamReply:
        """Return a stream that has begun."""
        request = request_with({"messages": MESSAGES, **body, "stream": True})
        base = deployment_at(self.upstream.url, provider)
        reply = await self.worker.provider.ask(base, request, Timeouts(0.5, answer))
        assert isinstance(reply, StreamReply)
        return reply

    async def _stream(self, provider: str, answer: float, body: Json) -> Streamed:
        reply = await self.open(provider, answer, **body)
        chunks: list[Json] = []
        failure = None
        try:
            async for chunk in reply:
                chunks.append(chunk)  # noqa: PERF401 -- those before a failure count
        except AttemptFailedError as error:
            failure = error.failure
        await reply.close()
        return Streamed(chunks, reply.usage, failure)

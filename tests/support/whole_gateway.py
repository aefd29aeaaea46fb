"""A whole gateway in this process: real rooms, journal and database, a provider that is told."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson

from gateway import assembly
from gateway.config.deployment import Deployment, Models, Protocol
from gateway.config.options import Options
from gateway.config.settings import load_settings
from gateway.http.asgi import App, Message
from gateway.providers.reply import PlainReply, Provider, StreamReply, Timeouts
from gateway.proxy.identity import HEADER, Identity, derive_secret, sign
from gateway.request import Request, Usage
from gateway.routing.failure import AttemptFailedError, Failure, FailureKind
from support.stack import free_port
from unit.http.rooms import PATH, Conversation

ALIAS = "priced"
TOKEN = 2.0**-20
"""USD, a price whose sums are exact."""

MASTER = "sk-master-0123456789abcdef"
PRODUCED = Usage(7, 2)
"""Of a stream that has begun and does not end well."""

FAILS = Failure(FailureKind.REQUEST, 400, message="the provider does not like it")
MODELS = Models(
    (
        Deployment(
            *("priced", ALIAS, "openai", "gpt-4o-mini", Protocol.OPENAI),
            price={"input_cost_per_token": TOKEN, "output_cost_per_token": TOKEN},
            max_input_tokens=100_000,
            max_output_tokens=10_000,
        ),
    )
)


class ToldProvider(Provider):
    """Answers each request when it is told to, and with what it is told.

    Attributes:
        calls: what each request waits for, by its id: usage, or None for a failure.
    """

    def __init__(self) -> None:
        self.calls: dict[str, asyncio.Future[Usage | None]] = {}

    async def ask(
        self, deployment: Deployment, request: Request, timeouts: Timeouts
    ) -> PlainReply | StreamReply:
        """Wait, then answer or fail; a stream begins at once."""
        del deployment, timeouts
        told = self.calls[request.id] = asyncio.get_running_loop().create_future()
        if request.stream:
            return ToldStream(request.id, told)
        usage = await told
        if usage is None:
            raise AttemptFailedError(FAILS)
        message = {"role": "assistant", "content": "fine"}
        return PlainReply({"id": request.id, "choices": [{"index": 0, "message": message}]}, usage)

    async def close(self) -> None:
        """Do nothing."""


class ToldStream(StreamReply):
    """A word, and after a while the end."""

    def __init__(self, name: str, told: asyncio.Future[Usage | None]) -> None:
        self.headers = {}
        self._name = name
        self._told = told
        self._usage = PRODUCED
        self._chunks: list[dict[str, Any]] = [{"index": 0, "delta": {"content": "fine"}}]

    def __aiter__(self) -> ToldStream:
        return self

    async def __anext__(self) -> dict[str, Any]:
        if not self._chunks:
            if self._usage is not PRODUCED:
                raise StopAsyncIteration
            usage = await self._told
            if usage is None:
                raise AttemptFailedError(FAILS)
            self._usage = usage
            self._chunks = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        return {"id": self._name, "choices": [self._chunks.pop()]}

    async def close(self) -> None:
        """Do nothing."""

    @property
    def usage(self) -> Usage:
        """What was told, or produced so far."""
        return self._usage


@dataclass(eq=False)
class Asked:
    """A request on its way.

    Attributes:
        id: of the call.
        size: bytes of its body.
        most: tokens that it allows for its answer.
        is_stream: whether the answer is streamed.
        talk: the exchange.
        task: ends with it.
    """

    id: str
    size: int
    most: int
    is_stream: bool
    talk: Conversation
    task: asyncio.Task[None]

    @property
    def bound(self) -> int:
        """The most tokens that it may take."""
        return self.size + self.most


@dataclass
class Key:
    """A virtual key."""

    secret: str = field(default_factory=lambda: f"sk-{secrets.token_hex(12)}")

    @property
    def token(self) -> str:
        """Its hash, as LiteLLM has it in its tables."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


@dataclass
class Whole:
    """A gateway that runs.

    Attributes:
        gateway: it.
        provider: which it asks.
    """

    gateway: assembly.Gateway
    provider: ToldProvider

    def ask(self, key: Key, most: int, *, stream: bool, by_litellm: bool) -> Asked:
        """Begin a request: at port 4000, or as LiteLLM's proxy asks at the internal endpoint."""
        name = f"call-{secrets.token_hex(6)}"
        message = {"role": "user", "content": "Hallo"}
        body = {"model": ALIAS, "messages": [message], "max_tokens": most, "stream": stream}
        raw = orjson.dumps(body)
        if by_litellm:
            identity = Identity(key.token, ALIAS, name, "acompletion")
            headers = {HEADER: sign(identity, derive_secret(MASTER), time.time())}
        else:
            headers = {"authorization": f"Bearer {key.secret}", "x-litellm-call-id": name}
        talk = Conversation(parts=[raw])
        scope: Message = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "client": ("192.0.2.7", 1234),
            "headers": [(each.encode(), value.encode()) for each, value in headers.items()],
        }
        app: App | None = self.gateway.internal_app if by_litellm else self.gateway.app
        assert app is not None
        answering = asyncio.ensure_future(app(scope, talk.receive, talk.send))
        return Asked(name, len(raw), most, stream, talk, answering)


@asynccontextmanager
async def whole_gateway(url: str, folder: Path) -> AsyncIterator[Whole]:
    """Yield a gateway that has started."""
    provider = ToldProvider()
    settings = load_settings(
        {
            "DATABASE_URL": url,
            "LITELLM_MASTER_KEY": MASTER,
            "INTERNAL_HOST": "127.0.0.1",
            "INTERNAL_PORT": f"{free_port()}",
            "JOURNAL_DIR": f"{folder}",
            "JOURNAL_SYNC": "false",
            "GATEWAY_STATE_DIR": f"{folder}",
        }
    )
    with patch.object(assembly, "_providers", lambda _: dict.fromkeys(Protocol, provider)):
        gateway = assembly.Gateway(settings, MODELS, Options())
    heard: asyncio.Queue[str] = asyncio.Queue()
    said: asyncio.Queue[Message] = asyncio.Queue()

    async def send(message: Message) -> None:
        await heard.put(message["type"])

    life = asyncio.ensure_future(gateway.app({"type": "lifespan"}, said.get, send))
    await said.put({"type": "lifespan.startup"})
    assert await heard.get() == "lifespan.startup.complete"
    try:
        yield Whole(gateway, provider)
    finally:
        await said.put({"type": "lifespan.shutdown"})
        await life

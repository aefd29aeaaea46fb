"""The rooms around an endpoint: those who ask, limits and journal are small, the router is real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson

from gateway.access.caller import Caller, Position
from gateway.config.deployment import Models
from gateway.errors import AuthenticationError, InvalidRequestError
from gateway.http.asgi import Message
from gateway.http.endpoint import Endpoint
from gateway.http.rooms import Rooms
from gateway.journal.record import Record
from gateway.request import Operation, Request
from unit.routing.fakes import FakeProvider, deployment, routing

KEY = "sk-of-a-caller"
PATH = "/v1/chat/completions"
CHAT = {"model": "first", "messages": [{"role": "user", "content": "Hallo"}]}


class FakeAccess:
    """Knows one key, and the aliases that there are.

    Attributes:
        caller: who has it.
    """

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    async def identify(
        self, secret: str | None, *, route: str, end_user: str | None = None
    ) -> Caller:
        """Return the caller, and for whom it asks."""
        del route
        if secret != KEY:
            raise AuthenticationError("this key is not known")
        return replace(self.caller, end_user_id=end_user)

    async def by_hash(
        self, key_hash: str, *, user_id: str | None, team_id: str | None, end_user: str | None
    ) -> Caller:
        """Return the caller as it is now."""
        del user_id, team_id
        assert key_hash == self.caller.key_hash
        return replace(self.caller, end_user_id=end_user)

    def resolve(self, caller: Caller, asked: str) -> str:
        """Return the alias that is meant."""
        asked = caller.aliases.get(asked, asked)
        if asked not in ("first", "second"):
            raise InvalidRequestError("there is no such model", param="model")
        return asked

    def visible_aliases(self, caller: Caller) -> list[str]:
        """Return what a caller may ask for."""
        return [
            each for each in ("first", "second") if caller.models is None or each in caller.models
        ]


class FakeReservation:
    """Counts how it ends."""

    def __init__(self) -> None:
        self.headers = {"x-ratelimit-api_key-limit-requests": "10"}
        self.ends: list[tuple[float, int, Position | None] | None] = []

    def settle(self, cost: float, tokens: int, position: Position | None) -> None:
        """Take note of a cost."""
        self.ends.append((cost, tokens, position))

    def release(self) -> None:
        """Take note that there was none."""
        self.ends.append(None)


class FakeLimits:
    """Reserves for everybody, or refuses.

    Attributes:
        reserved: everything that was reserved: the bounds in USD and tokens.
        reservations: in the same order.
        refusal: is raised instead.
    """

    def __init__(self) -> None:
        self.reserved: list[tuple[float, int]] = []
        self.reservations: list[FakeReservation] = []
        self.refusal: Exception | None = None

    async def reserve(self, caller: Caller, usd: float, tokens: int) -> FakeReservation:
        """Reserve."""
        del caller
        if self.refusal is not None:
            raise self.refusal
        self.reserved.append((usd, tokens))
        self.reservations.append(FakeReservation())
        return self.reservations[-1]


class FakeJournal:
    """Keeps records, and makes them durable when it is told to.

    Attributes:
        records: that were appended.
        flushed: how often durability was asked for.
        is_slow: whether `let_go` has to be called for it.
        failure: is raised instead of taking a record.
        full: why it takes no request.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.flushed = 0
        self.is_slow = False
        self.failure: OSError | None = None
        self.full: list[str] = []
        self._waiting: list[asyncio.Future[None]] = []

    def reasons(self) -> list[str]:
        """Return why no request is taken."""
        return self.full

    def append(self, record: Record) -> tuple[Position, asyncio.Future[None]]:
        """Take a record."""
        if self.failure is not None:
            raise self.failure
        self.records.append(record)
        self._waiting.append(asyncio.get_running_loop().create_future())
        return Position("j", len(self.records)), self._waiting[-1]

    def flush(self) -> None:
        """Make durable what waits, when the disk is quick."""
        self.flushed += 1
        if not self.is_slow:
            self.let_go()

    def let_go(self, error: OSError | None = None) -> None:
        """Make durable what waits, or not."""
        for each in self._waiting:
            if each.done():
                continue
            if error is None:
                each.set_result(None)
            else:
                each.set_exception(error)


@dataclass
class Conversation:
    """One caller's exchange with the gateway.

    Attributes:
        sent: every message that went to the caller.
        leaves: is set when the caller hangs up.
    """

    sent: list[Message] = field(default_factory=list)
    leaves: asyncio.Event = field(default_factory=asyncio.Event)
    parts: list[bytes] = field(default_factory=list)
    hears: Callable[[Message], None] = lambda _: None

    async def receive(self) -> Message:
        """Return the next part of the body, then wait for the caller to leave."""
        if self.parts:
            body = self.parts.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(self.parts)}
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take note of a message."""
        self.sent.append(dict(message))
        self.hears(message)

    @property
    def status(self) -> int:
        """The status of the one response."""
        (start,) = [each for each in self.sent if each["type"] == "http.response.start"]
        status: int = start["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response."""
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        """All that was sent of the body."""
        return b"".join(each.get("body", b"") for each in self.sent[1:])

    @property
    def json(self) -> dict[str, Any]:
        """The body of a plain answer."""
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    @property
    def events(self) -> list[Any]:
        """The events of a stream: objects, and the text [DONE]."""
        lines = [each.removeprefix("data: ") for each in self.body.decode().split("\n\n") if each]
        return [each if each == "[DONE]" else orjson.loads(each) for each in lines]

    @property
    def text(self) -> str:
        """The words of a stream so far."""
        choices = [
            each["choices"] for each in self.events if isinstance(each, dict) if "choices" in each
        ]
        return "".join(each[0]["delta"].get("content", "") for each in choices if each)

    @property
    def error(self) -> dict[str, Any]:
        """The error that was answered."""
        found: dict[str, Any] = self.json["error"]
        return found


class Observed:
    """Takes note of requests that ended."""

    def __init__(self) -> None:
        self.finished_with: list[tuple[Request, int]] = []

    def finished(self, request: Request, status: int) -> None:
        """Take note of one."""
        self.finished_with.append((request, status))


@dataclass
class Made:
    """A gateway's endpoint, and what it works with."""

    endpoint: Endpoint
    provider: FakeProvider
    access: FakeAccess
    limits: FakeLimits
    journal: FakeJournal
    observed: Observed
    forwarded: list[tuple[Message, bytes]]

    def begin(
        self,
        body: object = None,
        *,
        key: str = KEY,
        headers: dict[str, str] | None = None,
        operation: Operation = Operation.CHAT,
    ) -> tuple[Conversation, asyncio.Task[None]]:
        """Begin a request; what is not bytes is sent as JSON."""
        raw = body if isinstance(body, bytes) else orjson.dumps(CHAT if body is None else body)
        given = {"authorization": f"Bearer {key}", **(headers or {})}
        scope = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "client": ("192.0.2.7", 1234),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        talk = Conversation(parts=[raw])
        answering = self.endpoint(scope, talk.receive, talk.send, operation)
        return talk, asyncio.ensure_future(answering)

    async def ask(self, body: object = None, **more: Any) -> Conversation:
        """Return a whole exchange."""
        talk, answering = self.begin(body, **more)
        await answering
        return talk

    @property
    def settled(self) -> list[tuple[float, int, Position | None] | None]:
        """How the one reservation ended: it has to have ended once."""
        (reservation,) = self.limits.reservations
        return reservation.ends


@asynccontextmanager
async def gateway(
    *,
    caller: Caller | None = None,
    has_proxy: bool = True,
    **models: Any,
) -> AsyncIterator[Made]:
    """Yield an endpoint; `first` falls back to `second`."""
    provider = FakeProvider()
    access, limits = FakeAccess(caller or Caller(key_hash="a" * 64)), FakeLimits()
    journal, observed = FakeJournal(), Observed()
    forwarded: list[tuple[Message, bytes]] = []

    async def proxy(scope: Message, receive: Any, send: Any) -> None:
        message = await receive()
        forwarded.append((scope, message["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"LiteLLM's"})

    async with routing(provider=provider, num_retries=0) as made:
        rooms = Rooms(
            Models((deployment("first"), deployment("second")), **models),
            cast("Any", access),
            cast("Any", limits),
            made.router,
            cast("Any", journal),
            proxy if has_proxy else None,
            [observed],
        )
        yield Made(Endpoint(rooms), provider, access, limits, journal, observed, forwarded)

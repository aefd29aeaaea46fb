"""An answer's end waits for its record; everything before it does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from gateway.journal.answer import current_answer
from gateway.journal.hold import Hold

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from gateway.journal.answer import Answer

    Message = MutableMapping[str, Any]
    Send = Callable[[Message], Awaitable[None]]

START: Message = {"type": "http.response.start", "status": 200, "headers": []}
PIECE: Message = {"type": "http.response.body", "body": b'data: {"a":1}\n\n', "more_body": True}
DONE: Message = {"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": True}
END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class Client:
    """Receives messages."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.said: list[str] = []
        self.flush: Callable[[], None] = lambda: None

    async def __call__(self, message: Message) -> None:
        """Takes a message."""
        self.got.append(message)

    async def ask(
        self, answer: Callable[[Send], Awaitable[None]], stopped: str | None = None
    ) -> None:
        """Sends a request to an application that answers so."""

        async def app(_: Message, __: object, send: Send) -> None:
            await answer(send)

        hold = Hold(
            app,
            lambda _: True,
            lambda: stopped,
            self.flush,
            lambda text, _: self.said.append(text),
        )
        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions"}
        await hold(scope, self._nothing, self)

    async def _nothing(self) -> Message:
        return {}


async def turns(count: int = 10) -> None:
    """Lets everything run that can."""
    for _ in range(count):
        await asyncio.sleep(0)


def run(scenario: Callable[[Client], Awaitable[None]]) -> Client:
    """Runs a scenario, returns its client."""
    client = Client()
    asyncio.run(scenario(client))  # type: ignore[arg-type] # a coroutine
    return client


def test_the_last_byte_waits_until_the_record_is_durable() -> None:
    """The headers go at once, the body when the disk has the record."""

    async def scenario(client: Client) -> None:
        durable = asyncio.get_running_loop().create_future()

        async def answer(send: Send) -> None:
            held = current_answer()
            assert held is not None
            held.wrote(durable)
            await send(START)
            await send({**END, "body": b"{}"})

        asked = asyncio.create_task(client.ask(answer))
        await turns()
        assert client.got == [START]
        durable.set_result(None)
        await asked
        assert client.got[1]["body"] == b"{}"

    run(scenario)


def test_tokens_flow_and_done_waits() -> None:
    """A stream's pieces go at once; [DONE] waits, and the stream is read on meanwhile."""

    async def scenario(client: Client) -> None:
        accounted = asyncio.get_running_loop().create_future()

        async def work() -> None:
            await accounted

        async def answer(send: Send) -> None:
            await send(START)
            await send(PIECE)
            await send(DONE)
            held = current_answer()
            assert held is not None
            asyncio.create_task(held.accounting(work())).add_done_callback(lambda _: None)
            await send(END)

        asked = asyncio.create_task(client.ask(answer))
        await turns()
        assert client.got == [START, PIECE]
        accounted.set_result(None)
        await asked
        assert client.got == [START, PIECE, DONE, END]

    run(scenario)


@pytest.mark.parametrize(
    "last",
    [
        b"data: [DONE]\n\n",
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        b'data: {"type":"response.completed","response":{}}\n\n',
    ],
)
def test_every_formats_last_event_waits(last: bytes) -> None:
    """What tells a client of any format that it has everything is held."""

    async def scenario(client: Client) -> None:
        async def answer(send: Send) -> None:
            await send({**PIECE, "body": last})
            assert client.got == []
            await send(END)

        await client.ask(answer)
        assert len(client.got) == 2

    run(scenario)


def test_a_flush_that_makes_all_durable_lets_nothing_else_run_before_the_last_byte() -> None:
    """With its note on disk at once, an answer is not behind the accounting in the event loop."""

    async def scenario(client: Client) -> None:
        durable = asyncio.get_running_loop().create_future()
        client.flush = lambda: durable.set_result(None)
        ran: list[str] = []

        async def accounting() -> None:
            ran.append("accounting")

        async def answer(send: Send) -> None:
            held = current_answer()
            assert held is not None
            held.wrote(durable)
            task = asyncio.create_task(accounting())
            await send(END)
            assert ran == []
            await task

        await client.ask(answer)

    assert run(scenario).got == [END]


def test_what_has_no_note_is_flushed_when_its_accounting_is_done() -> None:
    """The record that the accounting wrote is made durable, and then the last byte leaves."""

    async def scenario(client: Client) -> None:
        durable = asyncio.get_running_loop().create_future()
        held: list[Answer] = []
        client.flush = lambda: durable.set_result(None) if held[0].is_accounted else None

        async def work() -> None:
            held[0].wrote(durable)

        async def answer(send: Send) -> None:
            current = current_answer()
            assert current is not None
            held.append(current)
            accounting = asyncio.create_task(current.accounting(work()))
            await send(END)
            assert accounting.done()

        await client.ask(answer)

    client = run(scenario)
    assert client.got == [END]
    assert client.said == []


def test_without_a_record_on_disk_the_answer_breaks_off() -> None:
    """A disk that fails: the client does not get an answer that nobody wrote down."""

    async def scenario(client: Client) -> None:
        async def answer(send: Send) -> None:
            held = current_answer()
            assert held is not None
            held.failed(OSError("broken"))
            await send(START)
            await send(END)

        with pytest.raises(OSError, match="broken"):
            await client.ask(answer)
        assert client.got == [START]

    run(scenario)


def test_an_accounting_that_hangs_is_let_go_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer is held for ever; the log says that one went without its record."""
    monkeypatch.setattr("gateway.journal.hold.LONGEST_HOLD", 0.01)

    async def scenario(client: Client) -> None:
        async def answer(send: Send) -> None:
            held = current_answer()
            assert held is not None
            held.wrote(asyncio.get_running_loop().create_future())
            await send(END)

        await client.ask(answer)

    client = run(scenario)
    assert client.got == [END]
    assert "without its spend record" in client.said[0]


def test_a_full_journal_refuses_with_the_reason() -> None:
    """A new request gets 503, in OpenAI's form, with the reason and when to come back."""

    async def scenario(client: Client) -> None:
        async def answer(_: Send) -> None:
            raise AssertionError("it was let in")

        await client.ask(answer, stopped="its disk is full")

    client = run(scenario)
    assert client.got[0]["status"] == 503
    assert b"its disk is full" in client.got[1]["body"]
    assert (b"retry-after", b"10") in client.got[0]["headers"]

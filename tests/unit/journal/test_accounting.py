"""What LiteLLM tells when its accounting begins makes a note, and the note a whole record."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from gateway.journal.answer import Answer, begin_answer
from gateway.journal.note import GivenUp, Note, read_entry
from gateway.journal.record import MARK, RECONCILED
from gateway.journal.segments import JournalFullError
from unit.journal.journals import Said

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
COST = 0.25
KEY = "0123456789abcdef" * 4


class Lines:
    """Stands for the journal."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.given_up: list[str] = []
        self.full = False

    def append(self, body: bytes, *, wake: bool = True) -> asyncio.Future[None]:
        """Takes a line."""
        del wake
        return self.append_note(body)

    def append_note(self, body: bytes) -> asyncio.Future[None]:
        """Takes a line."""
        if self.full:
            raise JournalFullError("its disk is full")
        entry = read_entry(body)
        if isinstance(entry, Note):
            self.notes.append(entry)
        if isinstance(entry, GivenUp):
            self.given_up.append(entry.id)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        durable.set_result(None)
        return durable


def call(call_type: str = "acompletion", cost: float | None = COST) -> Any:  # noqa: ANN401 # LiteLLM is not typed
    """Returns what stands for LiteLLM's object of a call."""
    metadata = {
        "user_api_key": KEY,
        "user_api_key_hash": KEY,
        "user_api_key_user_id": "anna",
        "user_api_key_team_id": "red",
        "model_group": "some-model",
        "model_info": {"id": "deployment-1", "input_cost_per_token": 1},
        "user_api_key_auth": object(),
    }
    return SimpleNamespace(
        start_time=STARTED,
        litellm_trace_id="trace-1",
        response_cost_calculator=lambda result: cost,  # noqa: ARG005 # LiteLLM's name
        model_call_details={
            "call_type": call_type,
            "model": "gpt-4o-mini",
            "custom_llm_provider": "openai",
            "litellm_call_id": "call-1",
            "litellm_params": {"metadata": metadata, "api_base": "http://there"},
        },
    )


def response() -> Any:  # noqa: ANN401 # LiteLLM is not typed
    """Returns an answer with usage, four tokens of its prompt cached."""
    import litellm  # noqa: PLC0415 -- seconds, and not for every test

    usage = litellm.Usage(
        prompt_tokens=7,
        completion_tokens=3,
        total_tokens=10,
        prompt_tokens_details={"cached_tokens": 4},
    )
    return litellm.ModelResponse(id="chatcmpl-1", usage=usage)


class Watched:
    """LiteLLM with its accounting watched and replaced by `work`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import litellm.utils  # noqa: PLC0415 -- as above
        from litellm.litellm_core_utils.litellm_logging import Logging  # noqa: PLC0415 -- as above
        from litellm.litellm_core_utils.logging_worker import (  # noqa: PLC0415 -- as above
            GLOBAL_LOGGING_WORKER,
        )

        from gateway.journal.accounting import Accounting  # noqa: PLC0415 -- imports LiteLLM

        self.said = Said()
        self.lines = Lines()
        self.work: Callable[[], Awaitable[None]] = self.nothing
        self.logging = Logging
        self.worker = GLOBAL_LOGGING_WORKER
        self.queued: list[Any] = []

        async def handler(*_: object, **__: object) -> None:
            await self.work()

        async def dispatch(logging: object, result: object, *_: object, **__: object) -> None:
            await Logging.async_success_handler(logging, result)

        async def helper(**given: object) -> None:
            work = Logging.async_success_handler(given["logging_obj"], given["result"])
            self.worker.enqueue(work)

        monkeypatch.setattr(Logging, "async_success_handler", handler)
        monkeypatch.setattr(Logging, "dispatch_success_handlers", dispatch)
        monkeypatch.setattr(litellm.utils, "_client_async_logging_helper", helper)
        monkeypatch.setattr(GLOBAL_LOGGING_WORKER, "enqueue", self.queued.append)
        Accounting(self.lines, lambda _: {"attempts": []}, self.said).watch()  # type: ignore[arg-type] # stands for it
        self.helper = litellm.utils._client_async_logging_helper

    async def nothing(self) -> None:
        """Accounts for nothing."""

    def stream(self, of: object) -> Coroutine[Any, Any, None]:
        """Begins the accounting of a stream."""
        begun: Coroutine[Any, Any, None] = self.logging.dispatch_success_handlers(of, response())
        return begun

    def plain(self, of: object) -> Coroutine[Any, Any, None]:
        """Begins the accounting of a plain answer."""
        begun: Coroutine[Any, Any, None] = self.helper(
            logging_obj=of,
            result=response(),
            start_time=STARTED,
            end_time=STARTED + timedelta(seconds=1),
            is_completion_with_fallbacks=False,
        )
        return begun


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Gives it."""
    return Watched(monkeypatch)


def run(scenario: Callable[[Answer], Awaitable[None]]) -> None:
    """Runs a scenario inside of a request."""

    async def request() -> None:
        await scenario(begin_answer())

    asyncio.run(request())


@pytest.mark.parametrize("kind", ["plain", "stream"])
def test_an_answer_waits_for_its_note_alone(watched: Watched, kind: str) -> None:
    """The note is there before anything of the accounting runs, and nothing else is waited for."""

    async def scenario(answer: Answer) -> None:
        async def writes_its_record() -> None:
            assert answer.take_note(watched.lines.notes[0].id) is not None

        watched.work = writes_its_record
        work = watched.plain(call()) if kind == "plain" else watched.stream(call())

        assert [note.request_id for note in watched.lines.notes] == ["chatcmpl-1"]
        assert watched.said.lines == []
        assert answer.is_settled

        await work
        assert answer.is_settled
        for queued in watched.queued:
            await queued

    run(scenario)
    assert watched.lines.given_up == []
    assert len(watched.lines.notes) == 1


@pytest.mark.parametrize("kind", ["plain", "stream"])
def test_an_accounting_that_fails_gives_its_note_up(watched: Watched, kind: str) -> None:
    """Whatever it ended with, the journal learns that no record comes, and a person does."""

    async def fails() -> None:
        raise RuntimeError("a callback broke")

    async def scenario(_: Answer) -> None:
        watched.work = fails
        work = watched.plain(call()) if kind == "plain" else watched.stream(call())
        if kind == "plain":
            await work
            (work,) = watched.queued
        with pytest.raises(RuntimeError, match="a callback broke"):
            await work

    run(scenario)
    assert watched.lines.given_up == [watched.lines.notes[0].id]
    assert watched.said.levels() == ["WARNING"]


@pytest.mark.parametrize(
    ("call_type", "cost"), [("aimage_generation", COST), ("acompletion", None)]
)
@pytest.mark.parametrize("kind", ["plain", "stream"])
def test_without_a_note_an_answer_waits_for_its_accounting(
    watched: Watched, call_type: str, cost: float | None, kind: str
) -> None:
    """What only LiteLLM's accounting knows all of is held until it is through."""

    async def scenario(answer: Answer) -> None:
        of = call(call_type, cost)
        work = watched.plain(of) if kind == "plain" else watched.stream(of)
        assert not answer.is_accounted
        await work
        for queued in watched.queued:
            assert not answer.is_accounted
            await queued
        assert answer.is_accounted

    run(scenario)
    assert watched.lines.notes == []


def test_a_full_journal_makes_an_answer_wait_for_its_accounting(watched: Watched) -> None:
    """No room for the note: the record's own failure decides what becomes of the answer."""

    async def scenario(answer: Answer) -> None:
        watched.lines.full = True
        work = watched.stream(call())
        assert not answer.is_accounted
        await work

    run(scenario)
    assert watched.said.levels() == ["WARNING"]


def test_a_note_makes_the_row_and_sums_that_litellm_makes(watched: Watched) -> None:
    """Tokens, cost, who pays, by day: all from the note alone, and the row says that it is."""
    from litellm.proxy.db.db_spend_update_writer import (  # noqa: PLC0415 -- seconds
        DBSpendUpdateWriter,
    )

    from gateway.journal.writer import JournalWriter  # noqa: PLC0415 -- as above

    async def scenario(_: Answer) -> None:
        work = watched.stream(call())
        await work

    run(scenario)
    (note,) = watched.lines.notes
    writer = JournalWriter(DBSpendUpdateWriter(), watched.lines.append, lambda _: {})
    record = asyncio.run(writer.record_of(note))

    assert json.loads(json.dumps(record.row)) == record.row
    assert record.id == note.id
    assert record.cost == COST
    row = record.row
    assert row["request_id"] == "chatcmpl-1"
    assert row["litellm_call_id"] == "call-1"
    assert (row["prompt_tokens"], row["completion_tokens"]) == (7, 3)
    assert (row["api_key"], row["user"], row["team_id"]) == (KEY, "anna", "red")
    assert (row["model"], row["model_group"], row["model_id"]) == (
        "gpt-4o-mini",
        "some-model",
        "deployment-1",
    )
    assert row["startTime"] == STARTED.isoformat()
    assert row["metadata"][MARK] == {"attempts": [], RECONCILED: True}
    assert {("key", KEY), ("user", "anna"), ("team", "red")} <= set(record.spend)
    (by_user,) = record.daily["user"]
    assert (by_user["date"], by_user["user_id"], by_user["spend"]) == ("2026-01-02", "anna", COST)
    assert by_user["cache_read_input_tokens"] == 4
    assert record.daily["team"][0]["team_id"] == "red"
    assert record.model_usage is not None

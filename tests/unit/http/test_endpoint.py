"""A request's way through the rooms and back: what is booked, when, and what its caller is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.access.caller import Caller, Entity, Kind
from gateway.config.deployment import LiteLLMOnly
from gateway.errors import BudgetExceededError, GatewayError, RateLimitError, UnavailableError
from unit.http.rooms import CHAT, FakeReservation, gateway
from unit.routing.fakes import BAD, DEAD, LIMITED, PRICE, Cut, Hang, until

STREAM = {**CHAT, "stream": True}
COST = 11 * PRICE
"""Of an answer of one word."""


async def test_a_plain_answer_is_durable_before_its_first_byte() -> None:
    """No byte of a plain answer is sent before its cost is durable in the journal."""
    async with gateway() as made:
        made.journal.is_slow = True
        talk, answering = made.begin()
        await until(lambda: made.journal.flushed > 0)
        assert len(made.journal.records) == 1
        assert talk.sent == []

        made.journal.let_go()
        await answering

        assert talk.status == 200
        assert talk.json["choices"][0]["message"]["content"] == "fine"
        assert len(made.settled) == 1
        assert made.observed.finished_with[0][1] == 200


async def test_a_reservation_gets_the_exact_cost_and_its_place_in_the_journal() -> None:
    """A reservation is settled with the exact cost and with the record's journal position."""
    async with gateway() as made:
        await made.ask()

        ((usd, tokens),) = made.limits.reserved
        (end,) = made.settled
        assert end is not None
        cost, used, position = end
        assert cost == pytest.approx(COST)
        assert used == 11
        assert position is not None
        assert position.at == 1
        assert cost <= usd
        assert used <= tokens


async def test_tokens_of_a_stream_flow_and_its_end_waits_for_the_journal() -> None:
    """A stream's tokens flow, while its finish_reason and [DONE] wait for the durable cost."""
    async with gateway() as made:
        made.journal.is_slow = True
        made.provider.default["first"] = "one two"
        talk, answering = made.begin(STREAM)
        await until(lambda: made.journal.flushed > 0)
        assert talk.text == "one two "
        assert "[DONE]" not in talk.events
        assert not [each for each in talk.events if each["choices"][0]["finish_reason"]]

        made.journal.let_go()
        await answering

        assert talk.events[-2]["choices"][0]["finish_reason"] == "stop"
        assert talk.events[-1] == "[DONE]"
        assert len(made.settled) == 1


async def test_a_client_that_leaves_is_billed_and_the_providers_stream_closed() -> None:
    """A client that leaves is billed for what was produced, and the stream is closed."""
    async with gateway() as made:
        made.provider.default["first"] = "one two three four five six"
        talk, answering = made.begin(STREAM)
        talk.hears = lambda _: talk.leaves.set() if "one" in talk.text else None
        await answering

        assert made.provider.streams[0].closed
        (end,) = made.settled
        assert end is not None
        assert 0 < end[0] < 16 * PRICE
        assert len(made.journal.records) == 1
        assert made.observed.finished_with[0][1] == 499
        assert "[DONE]" not in talk.events


async def test_a_stream_that_breaks_ends_in_one_error_and_done() -> None:
    """A stream that breaks ends in one error and [DONE], and its tokens are billed."""
    async with gateway() as made:
        made.provider.default["first"] = Cut("one two")
        talk = await made.ask(STREAM)

        errors = [each for each in talk.events[:-1] if "error" in each]
        assert len(errors) == 1
        assert talk.events[-2:] == [errors[0], "[DONE]"]
        assert errors[0]["error"]["message"].startswith("the model's answer was cut off")
        assert made.observed.finished_with[0][1] == 502
        (end,) = made.settled
        assert end is not None
        assert end[0] == pytest.approx(12 * PRICE)


async def test_a_stream_whose_cost_cannot_be_written_ends_in_an_error() -> None:
    """A stream whose cost cannot be written ends in an error instead of its own end."""
    async with gateway() as made:
        made.journal.failure = OSError("no room")
        talk = await made.ask(STREAM)

        assert talk.status == 200
        assert "the spend journal cannot be written" in talk.events[-2]["error"]["message"]
        assert talk.events[-1] == "[DONE]"
        assert len(made.settled) == 1


async def test_a_broken_stream_without_a_journal_has_one_response_and_one_end() -> None:
    """A stream that breaks while the journal fails still has one response and one end."""
    async with gateway() as made:
        made.provider.default["first"] = Cut("one two")
        made.journal.failure = OSError("no room")
        talk = await made.ask(STREAM)

        assert talk.status == 200
        assert "error" in talk.events[-2]
        assert talk.events[-1] == "[DONE]"
        assert [each.get("more_body") for each in talk.sent[1:]].count(False) == 1
        assert len(made.settled) == 1


async def test_a_plain_answer_whose_cost_cannot_be_written_is_503() -> None:
    """A plain answer whose cost cannot be written becomes 503, and its budget is charged."""
    async with gateway() as made:
        made.journal.failure = OSError("no room")
        talk = await made.ask()

        assert talk.status == 503
        assert talk.headers["retry-after"] == "5"
        (end,) = made.settled
        assert end is not None
        assert end[0] == pytest.approx(COST)


async def test_a_flush_that_fails_is_503() -> None:
    """A plain answer whose record cannot be flushed to disk becomes 503."""
    async with gateway() as made:
        made.journal.is_slow = True
        talk, answering = made.begin()
        await until(lambda: made.journal.flushed > 0)
        made.journal.let_go(OSError("the disk is gone"))
        await answering

        assert talk.status == 503
        assert len(made.settled) == 1


async def test_a_full_journal_takes_no_request() -> None:
    """While the journal is full, a request gets 503 with the reason, and nobody is asked."""
    async with gateway() as made:
        made.journal.full = ["the spend journal is full: its disk"]
        talk = await made.ask()

        assert talk.status == 503
        assert talk.error["message"] == "the spend journal is full: its disk"
        assert talk.headers["retry-after"] == "5"
        assert made.limits.reserved == []
        assert made.provider.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"[]",
        {**CHAT, "messages": "text"},
        {**CHAT, "timeout": -1},
        {"messages": CHAT["messages"]},
        {**CHAT, "model": "unknown"},
        {**CHAT, "user": ["x"]},
    ],
    ids=["no JSON", "no object", "messages", "timeout", "no model", "unknown model", "user"],
)
async def test_a_wrong_request_reserves_nothing_and_asks_nobody(body: object) -> None:
    """A wrong request gets 400 with the field; nothing is reserved and no deployment asked."""
    async with gateway() as made:
        talk = await made.ask(body)

        assert talk.status == 400
        assert talk.error["type"] == "invalid_request_error"
        assert talk.error["param"]
        assert talk.error["code"] == "400"
        assert made.limits.reserved == []
        assert made.provider.asked == []
        assert made.journal.records == []


async def test_without_a_key_nothing_is_read() -> None:
    """Without a valid key a wrong body gets 401, and not what is wrong with it."""
    async with gateway() as made:
        talk = await made.ask(b"no json", key="sk-of-nobody")

        assert talk.status == 401
        assert talk.error["type"] == "auth_error"


async def test_an_error_has_the_callers_id_and_when_to_come_again() -> None:
    """An error carries the caller's id and the provider's Retry-After."""
    async with gateway() as made:
        made.provider.default.update(first=LIMITED, second=LIMITED)
        talk = await made.ask(headers={"x-litellm-call-id": "job-7"})

        assert talk.status == 429
        assert talk.headers["x-litellm-call-id"] == "job-7"
        assert int(talk.headers["retry-after"]) in range(1, 31)
        assert set(talk.error) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("in_the_table", "status", "judged"),
    [([0.0], 200, [5.0, 0.0]), ([4.0, 4.0], 429, [5.0, 4.0]), ([5.0], 429, [5.0])],
    ids=["reset", "still spent", "unchanged"],
)
@pytest.mark.parametrize("refusal", [BudgetExceededError("spent"), RateLimitError("held")])
async def test_who_waited_over_a_reset_is_judged_by_the_new_budget(
    refusal: GatewayError, in_the_table: list[float], status: int, judged: list[float]
) -> None:
    """A refused request is judged once more if its budget has changed in the database."""
    key = Entity(Kind.KEY, "a" * 64, spend=5.0)

    async with gateway(caller=Caller(key_hash="a" * 64, entities=(key,))) as made:
        admit, seen, rest = made.limits.reserve, [], list(in_the_table)

        async def reserve(caller: Caller, usd: float, tokens: int) -> FakeReservation:
            spend = caller.entities[0].spend
            seen.append(spend)
            if spend == 0:
                return await admit(caller, usd, tokens)
            now = replace(key, spend=rest.pop(0))
            made.access.caller = replace(made.access.caller, entities=(now,))
            raise refusal

        made.limits.reserve = reserve  # type: ignore[method-assign]
        assert (await made.ask()).status == status
        assert seen == judged


async def test_while_the_database_is_away_a_spent_budget_is_what_the_caller_is_reported() -> None:
    """A spent budget is reported as such even if the database cannot confirm it."""
    async with gateway() as made:

        async def away(*_: object, **__: object) -> Caller:
            raise UnavailableError("the database does not answer")

        made.access.by_hash = away  # type: ignore[method-assign]
        made.limits.refusal = BudgetExceededError("the budget is spent")
        assert (await made.ask()).error["type"] == "budget_exceeded"


async def test_a_failed_request_gives_its_reservation_back_and_has_a_row() -> None:
    """A request that no deployment answers releases its reservation and is recorded."""
    async with gateway() as made:
        made.provider.default.update(first=DEAD, second=DEAD)
        talk = await made.ask()

        assert talk.status == 503
        assert made.settled == [None]
        assert len(made.journal.records) == 1
        assert made.observed.finished_with[0][1] == 503


async def test_a_providers_no_reaches_the_caller_with_its_field() -> None:
    """A provider's 400 reaches the caller with the field that it names."""
    async with gateway() as made:
        made.provider.default.update(first=BAD, second=BAD)
        talk = await made.ask()

        assert (talk.status, talk.error["param"]) == (400, "top_q")


async def test_a_limit_that_is_reached_asks_nobody() -> None:
    """A request that a limit refuses gets that refusal, and no deployment is asked."""
    async with gateway() as made:
        made.limits.refusal = BudgetExceededError("the budget is spent", retry_after=60)
        talk = await made.ask()

        assert (talk.status, talk.error["type"]) == (429, "budget_exceeded")
        assert talk.headers["retry-after"] == "60"
        assert made.provider.asked == []
        assert made.journal.records == []


@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["plain", "stream"])
async def test_a_request_that_is_cancelled_gives_its_reservation_back_once(body: object) -> None:
    """A request that is cancelled releases its reservation once."""
    async with gateway() as made:
        made.provider.default["first"] = Hang()
        _, answering = made.begin(body)
        await until(lambda: made.provider.calls("first") == 1)
        answering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answering

        assert made.settled == [None]


async def test_a_stream_that_is_cancelled_is_billed_and_closed() -> None:
    """A stream that is cancelled while it is sent is billed and closed."""
    async with gateway() as made:
        made.provider.default["first"] = "one two three"
        talk, answering = made.begin(STREAM)
        sent: list[Any] = []

        def stop(message: Any) -> None:
            sent.append(message)
            answering.cancel()

        talk.hears = stop
        with pytest.raises(asyncio.CancelledError):
            await answering

        assert made.provider.streams[0].closed
        assert len(made.settled) == 1
        assert made.settled[0] is not None


async def test_a_client_that_cannot_be_written_to_leaves_nothing_open() -> None:
    """When a client cannot be written to, the provider's stream is closed and billed."""
    async with gateway() as made:
        made.provider.default["first"] = "one two three"
        talk, answering = made.begin(STREAM)

        def refuse(_: Any) -> None:
            raise OSError("broken pipe")

        talk.hears = refuse
        await answering

        assert made.provider.streams[0].closed
        assert len(made.settled) == 1
        assert made.settled[0] is not None


async def test_a_defect_is_500_and_told_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A defect of the gateway is a 500 without details, which the log alone holds."""
    async with gateway() as made:
        made.limits.refusal = ZeroDivisionError("inside")
        talk = await made.ask()

        assert talk.status == 500
        assert "inside" not in talk.body.decode()
    assert "failed inside the gateway" in caplog.text


async def test_the_answer_shows_the_model_as_the_caller_wrote_it() -> None:
    """An answer shows the model as the caller wrote it, except after a fallback."""
    caller = Caller(key_hash="a" * 64, aliases={"mine": "first"})
    async with gateway(caller=caller) as made:
        talk = await made.ask({**STREAM, "model": "mine"})
        assert {each["model"] for each in talk.events[:-1]} == {"mine"}

        made.provider.default["first"] = DEAD
        talk = await made.ask({**STREAM, "model": "mine"})
        assert "model" not in talk.events[0]
        assert talk.headers["x-gateway-fallback"] == "true; from=first"


async def test_an_answer_tells_of_the_callers_limits() -> None:
    """Plain and streamed answers carry the caller's limits and name the deployment."""
    async with gateway() as made:
        for body in (CHAT, STREAM):
            talk = await made.ask(body)
            assert talk.headers["x-ratelimit-api_key-limit-requests"] == "10"
            assert talk.headers["x-gateway-deployment"] == "first"


async def test_what_only_litellm_does_is_passed_on_whole() -> None:
    """A request that only LiteLLM can serve is passed on as it came, or gets 503 without it."""
    litellm_only = (LiteLLMOnly("guardrails", "only LiteLLM has them"),)
    async with gateway(caller=Caller(key_hash="a" * 64, litellm_only=litellm_only)) as made:
        raw = b'{"model": "first",  "messages": "whatever"}'
        talk = await made.ask(raw)
        assert made.forwarded[0][1] == raw
        assert b"x-litellm-call-id" in dict(made.forwarded[0][0]["headers"])
        assert talk.body == b"LiteLLM's"
        assert made.limits.reserved == []

    async with gateway(litellm_only=litellm_only, has_proxy=False) as made:
        talk = await made.ask()
        assert talk.status == 503


async def test_a_caller_that_hangs_up_before_its_body_came_is_let_go() -> None:
    """A caller that leaves before its body came gets no response, and reserves nothing."""
    async with gateway() as made:
        talk, answering = made.begin()
        talk.parts.clear()
        talk.leaves.set()
        await answering

        assert talk.sent == []
        assert made.limits.reserved == []

"""A request's way through the rooms and back: what is booked, when, and what its caller is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.access.caller import Caller, Entity, Kind
from gateway.config.deployment import Beyond
from gateway.errors import BudgetExceededError, GatewayError, RateLimitError, UnavailableError
from unit.http.rooms import CHAT, FakeReservation, gateway
from unit.routing.fakes import BAD, DEAD, LIMITED, PRICE, Cut, Hang, run, until

STREAM = {**CHAT, "stream": True}
COST = 11 * PRICE
"""Of an answer of one word."""


def test_a_plain_answer_is_durable_before_its_first_byte() -> None:
    """Who reads it is in the books, whatever dies next."""

    async def test() -> None:
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

    run(test())


def test_a_reservation_gets_the_exact_cost_and_its_place_in_the_journal() -> None:
    """What was set aside is an upper bound; budgets are judged by what was paid."""

    async def test() -> None:
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

    run(test())


def test_tokens_of_a_stream_flow_and_its_end_waits_for_the_journal() -> None:
    """The chunk with the finish_reason and [DONE] are not sent before the cost is durable."""

    async def test() -> None:
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

    run(test())


def test_a_client_that_leaves_is_billed_and_the_providers_stream_closed() -> None:
    """Nobody reads on, so nobody pays for more; what was produced is paid."""

    async def test() -> None:
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

    run(test())


def test_a_stream_that_breaks_ends_in_one_error_and_done() -> None:
    """Never short in silence; the tokens before the break are billed."""

    async def test() -> None:
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

    run(test())


def test_a_stream_whose_cost_cannot_be_written_ends_in_an_error() -> None:
    """Its end was held back, so nobody takes it for whole; there is one response, with one end."""

    async def test() -> None:
        async with gateway() as made:
            made.journal.failure = OSError("no room")
            talk = await made.ask(STREAM)

            assert talk.status == 200
            assert "the spend journal cannot be written" in talk.events[-2]["error"]["message"]
            assert talk.events[-1] == "[DONE]"
            assert len(made.settled) == 1

    run(test())


def test_a_broken_stream_without_a_journal_has_one_response_and_one_end() -> None:
    """Both go wrong at once: the caller hears of the break, the log of the cost."""

    async def test() -> None:
        async with gateway() as made:
            made.provider.default["first"] = Cut("one two")
            made.journal.failure = OSError("no room")
            talk = await made.ask(STREAM)

            assert talk.status == 200
            assert "error" in talk.events[-2]
            assert talk.events[-1] == "[DONE]"
            assert [each.get("more_body") for each in talk.sent[1:]].count(False) == 1
            assert len(made.settled) == 1

    run(test())


def test_a_plain_answer_whose_cost_cannot_be_written_is_503() -> None:
    """What nobody could charge is not given away; the budget is charged all the same."""

    async def test() -> None:
        async with gateway() as made:
            made.journal.failure = OSError("no room")
            talk = await made.ask()

            assert talk.status == 503
            assert talk.headers["retry-after"] == "5"
            (end,) = made.settled
            assert end is not None
            assert end[0] == pytest.approx(COST)

    run(test())


def test_a_flush_that_fails_is_503() -> None:
    """A record that is not on disk is none."""

    async def test() -> None:
        async with gateway() as made:
            made.journal.is_slow = True
            talk, answering = made.begin()
            await until(lambda: made.journal.flushed > 0)
            made.journal.let_go(OSError("the disk is gone"))
            await answering

            assert talk.status == 503
            assert len(made.settled) == 1

    run(test())


def test_a_full_journal_takes_no_request() -> None:
    """It is refused before anybody is asked, with the reason and when to come again."""

    async def test() -> None:
        async with gateway() as made:
            made.journal.full = ["the spend journal is full: its disk"]
            talk = await made.ask()

            assert talk.status == 503
            assert talk.error["message"] == "the spend journal is full: its disk"
            assert talk.headers["retry-after"] == "5"
            assert made.limits.reserved == []
            assert made.provider.asked == []

    run(test())


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
def test_a_wrong_request_reserves_nothing_and_asks_nobody(body: object) -> None:
    """It is 400 in OpenAI's form, with the field, and no deployment hears of it."""

    async def test() -> None:
        async with gateway() as made:
            talk = await made.ask(body)

            assert talk.status == 400
            assert talk.error["type"] == "invalid_request_error"
            assert talk.error["param"]
            assert talk.error["code"] == "400"
            assert made.limits.reserved == []
            assert made.provider.asked == []
            assert made.journal.records == []

    run(test())


def test_without_a_key_nothing_is_read() -> None:
    """Also a body that is wrong is 401, and what is wrong with it is not said."""

    async def test() -> None:
        async with gateway() as made:
            talk = await made.ask(b"no json", key="sk-of-nobody")

            assert talk.status == 401
            assert talk.error["type"] == "auth_error"

    run(test())


def test_an_error_has_the_callers_id_and_when_to_come_again() -> None:
    """The id stands in the log, too; Retry-After is the provider's."""

    async def test() -> None:
        async with gateway() as made:
            made.provider.default.update(first=LIMITED, second=LIMITED)
            talk = await made.ask(headers={"x-litellm-call-id": "job-7"})

            assert talk.status == 429
            assert talk.headers["x-litellm-call-id"] == "job-7"
            assert int(talk.headers["retry-after"]) in range(1, 31)
            assert set(talk.error) == {"message", "type", "param", "code"}

    run(test())


@pytest.mark.parametrize(
    ("in_the_table", "status", "judged"),
    [([0.0], 200, [5.0, 0.0]), ([4.0, 4.0], 429, [5.0, 4.0]), ([5.0], 429, [5.0])],
    ids=["reset", "still spent", "unchanged"],
)
@pytest.mark.parametrize("refusal", [BudgetExceededError("spent"), RateLimitError("held")])
def test_who_waited_over_a_reset_is_judged_by_the_new_budget(
    refusal: GatewayError, in_the_table: list[float], status: int, judged: list[float]
) -> None:
    """Limits know the one before, as nobody has asked since; what is the same is judged once."""
    key = Entity(Kind.KEY, "a" * 64, spend=5.0)

    async def test() -> None:
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

    run(test())


def test_while_the_database_is_away_a_spent_budget_is_what_the_caller_is_told() -> None:
    """Nobody can look whether it was reset, which is no reason for another answer."""

    async def test() -> None:
        async with gateway() as made:

            async def away(*_: object, **__: object) -> Caller:
                raise UnavailableError("the database does not answer")

            made.access.by_hash = away  # type: ignore[method-assign]
            made.limits.refusal = BudgetExceededError("the budget is spent")
            assert (await made.ask()).error["type"] == "budget_exceeded"

    run(test())


def test_a_failed_request_gives_its_reservation_back_and_has_a_row() -> None:
    """Nothing was produced, so nothing is charged; LiteLLM's pages show that it failed."""

    async def test() -> None:
        async with gateway() as made:
            made.provider.default.update(first=DEAD, second=DEAD)
            talk = await made.ask()

            assert talk.status == 503
            assert made.settled == [None]
            assert len(made.journal.records) == 1
            assert made.observed.finished_with[0][1] == 503

    run(test())


def test_a_providers_no_reaches_the_caller_with_its_field() -> None:
    """What the provider finds wrong with a request is the caller's to mend."""

    async def test() -> None:
        async with gateway() as made:
            made.provider.default.update(first=BAD, second=BAD)
            talk = await made.ask()

            assert (talk.status, talk.error["param"]) == (400, "top_q")

    run(test())


def test_a_limit_that_is_reached_asks_nobody() -> None:
    """The refusal of limits goes out as it is."""

    async def test() -> None:
        async with gateway() as made:
            made.limits.refusal = BudgetExceededError("the budget is spent", retry_after=60)
            talk = await made.ask()

            assert (talk.status, talk.error["type"]) == (429, "budget_exceeded")
            assert talk.headers["retry-after"] == "60"
            assert made.provider.asked == []
            assert made.journal.records == []

    run(test())


@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["plain", "stream"])
def test_a_request_that_is_cancelled_gives_its_reservation_back_once(body: object) -> None:
    """A server that stops cancels what is under way; no budget stays taken."""

    async def test() -> None:
        async with gateway() as made:
            made.provider.default["first"] = Hang()
            _, answering = made.begin(body)
            await until(lambda: made.provider.calls("first") == 1)
            answering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await answering

            assert made.settled == [None]

    run(test())


def test_a_stream_that_is_cancelled_is_billed_and_closed() -> None:
    """The tokens that left are paid, also when the server stops while it sends the first."""

    async def test() -> None:
        async with gateway() as made:
            made.provider.default["first"] = "one two three"
            talk, answering = made.begin(STREAM)
            sent: list[Any] = []

            def stop(message: Any) -> None:  # noqa: ANN401 -- ASGI's
                sent.append(message)
                answering.cancel()

            talk.hears = stop
            with pytest.raises(asyncio.CancelledError):
                await answering

            assert made.provider.streams[0].closed
            assert len(made.settled) == 1
            assert made.settled[0] is not None

    run(test())


def test_a_client_that_cannot_be_written_to_leaves_nothing_open() -> None:
    """The response cannot even begin: the provider's stream is closed, and paid for."""

    async def test() -> None:
        async with gateway() as made:
            made.provider.default["first"] = "one two three"
            talk, answering = made.begin(STREAM)

            def refuse(_: Any) -> None:  # noqa: ANN401 -- ASGI's
                raise OSError("broken pipe")

            talk.hears = refuse
            await answering

            assert made.provider.streams[0].closed
            assert len(made.settled) == 1
            assert made.settled[0] is not None

    run(test())


def test_a_defect_is_500_and_told_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    """No traceback, path or prompt reaches the caller."""

    async def test() -> None:
        async with gateway() as made:
            made.limits.refusal = ZeroDivisionError("inside")
            talk = await made.ask()

            assert talk.status == 500
            assert "inside" not in talk.body.decode()

    run(test())
    assert "failed inside the gateway" in caplog.text


def test_the_answer_shows_the_model_as_the_caller_wrote_it() -> None:
    """An alias of the key's own stands for another; after a fallback the model that answered."""

    async def test() -> None:
        caller = Caller(key_hash="a" * 64, aliases={"mine": "first"})
        async with gateway(caller=caller) as made:
            talk = await made.ask({**STREAM, "model": "mine"})
            assert {each["model"] for each in talk.events[:-1]} == {"mine"}

            made.provider.default["first"] = DEAD
            talk = await made.ask({**STREAM, "model": "mine"})
            assert "model" not in talk.events[0]
            assert talk.headers["x-gateway-fallback"] == "true; from=first"

    run(test())


def test_an_answer_tells_of_the_callers_limits() -> None:
    """Plain and streamed, beside which deployment answered."""

    async def test() -> None:
        async with gateway() as made:
            for body in (CHAT, STREAM):
                talk = await made.ask(body)
                assert talk.headers["x-ratelimit-api_key-limit-requests"] == "10"
                assert talk.headers["x-gateway-deployment"] == "first"

    run(test())


def test_what_only_litellm_does_is_handed_on_whole() -> None:
    """The body as it came, before anything is reserved: a caller's feature, or a field's."""

    async def test() -> None:
        beyond = (Beyond("guardrails", "only LiteLLM has them"),)
        async with gateway(caller=Caller(key_hash="a" * 64, beyond=beyond)) as made:
            raw = b'{"model": "first",  "messages": "whatever"}'
            talk = await made.ask(raw)
            assert made.handed_on[0][1] == raw
            assert b"x-litellm-call-id" in dict(made.handed_on[0][0]["headers"])
            assert talk.body == b"LiteLLM's"
            assert made.limits.reserved == []

        async with gateway(beyond=beyond, has_proxy=False) as made:
            talk = await made.ask()
            assert talk.status == 503

    run(test())


def test_a_caller_that_hangs_up_before_its_body_came_is_let_go() -> None:
    """There is nobody to answer."""

    async def test() -> None:
        async with gateway() as made:
            talk, answering = made.begin()
            talk.parts.clear()
            talk.leaves.set()
            await answering

            assert talk.sent == []
            assert made.limits.reserved == []

    run(test())

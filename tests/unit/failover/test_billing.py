"""What LiteLLM writes down of each attempt: one cost for each answer, no failure for a detour."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from gateway.failover.record import begin_record
from unit.failover.router_stack import IN_SCHEMA, ONE, PRICE, TWO, deployment, stack, until
from unit.failover.upstream import Reply

if TYPE_CHECKING:
    from unit.failover.router_stack import Run, Stack

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")


class Ledger:
    """Everything that LiteLLM logs.

    Attributes:
        rows: deployment and cost of each answer.
        failures: each failure.
    """

    def __init__(self) -> None:
        import litellm  # noqa: PLC0415 -- seconds, and not for every test
        from litellm.integrations.custom_logger import CustomLogger  # noqa: PLC0415 -- as above

        self.rows: list[tuple[str, float]] = []
        self.failures: list[object] = []
        ledger = self

        class Callback(CustomLogger):  # type: ignore[misc] # LiteLLM is not typed
            async def async_log_success_event(
                self, kwargs: dict[str, Any], *_: object, **__: object
            ) -> None:
                payload = kwargs["standard_logging_object"]
                ledger.rows.append((payload["model_id"], round(payload["response_cost"], 6)))

            async def async_log_failure_event(
                self, kwargs: dict[str, Any], *_: object, **__: object
            ) -> None:
                ledger.failures.append(kwargs.get("exception"))

        litellm.callbacks.append(Callback())


async def ask_as_the_proxy(made: Stack, *, stream: bool, **parameters: Any) -> str:  # noqa: ANN401
    """Returns the answer to a request that has one logging object for all of its attempts."""
    from litellm.litellm_core_utils.rules import Rules  # noqa: PLC0415 -- as above
    from litellm.utils import function_setup  # noqa: PLC0415 -- as above

    request = {
        "model": "primary",
        "messages": [],
        "litellm_call_id": "call-1",
        "stream": stream,
        **parameters,
    }
    log, _ = function_setup("acompletion", Rules(), datetime.now(), **request)  # noqa: DTZ005
    return await made.text(
        stream=stream, litellm_logging_obj=log, litellm_call_id="call-1", **parameters
    )


@pytest.mark.parametrize("stream", [False, True])
def test_every_answer_that_broke_the_schema_is_billed(run: Run, *, stream: bool) -> None:
    """LiteLLM logs a cost for each of the three answers, and the record knows what was wasted."""

    async def test() -> None:
        async with stack() as made:
            ledger = Ledger()
            made.primary.default = Reply("eins")
            made.second.default = Reply('{"n": 2}')
            options = {"stream_options": {"include_usage": True}} if stream else {}
            await ask_as_the_proxy(made, stream=stream, response_format=IN_SCHEMA, **options)
            await until(lambda: len(ledger.rows) == 3)
            assert sorted(ledger.rows) == [(ONE, 0.011), (ONE, 0.011), (TWO, 0.012)]
            assert made.record.wasted_cost == pytest.approx(0.022)
            if stream:  # a plain answer's line is written by the proxy's hook
                await until(lambda: bool(made.lines))
                assert "alias=second" in made.lines[0]
                assert "cost=0.034" in made.lines[0]
                assert len(made.lines) == 1

    run(test())


def test_the_tokens_before_a_cut_are_billed(run: Run) -> None:
    """A stream that broke after its first token was paid up to there."""

    async def test() -> None:
        async with stack() as made:
            ledger = Ledger()
            made.primary.default = Reply("eins zwei drei", cut_after=2)
            with pytest.raises(Exception, match="cut off"):
                await made.text(stream=True)
            await until(lambda: len(ledger.rows) == 1)
            assert ledger.rows[0][0] == ONE

    run(test())


def test_a_request_that_goes_straight_to_its_fallback_is_no_failure(run: Run) -> None:
    """What LiteLLM would log as a failed call, at a price in time, is no call at all."""

    async def test() -> None:
        async with stack() as made:
            await made.primary.stop()
            await made.text()
            ledger = Ledger()
            await ask_as_the_proxy(made, stream=False)
            await until(lambda: len(ledger.rows) == 1)
            assert ledger.failures == []

    run(test())


def test_a_streams_line_is_that_of_the_call_that_answered(run: Run) -> None:
    """The cost of an answer that was thrown away is not taken for that of the request."""

    async def test() -> None:
        async with stack() as made:
            record = begin_record("primary")
            record.answering_call = "answer"
            payload = {"response_cost": 0.5, "prompt_tokens": 1, "completion_tokens": 1}
            for call in ("thrown away", "answer"):
                event = {"litellm_call_id": call, "standard_logging_object": payload}
                await made.failover.callback.async_log_success_event(event, None, None, None)
                assert len(made.lines) == (call == "answer")

    run(test())


@pytest.mark.parametrize(("price", "told"), [(PRICE, True), (0, True), (None, False)])
def test_the_cost_is_told_unless_there_is_no_price(
    run: Run, price: float | None, *, told: bool
) -> None:
    """A header says what a plain answer cost: 0 when it is free, and none of an unpriced model."""

    async def test() -> None:
        async with stack() as made:
            # Names of their own, because LiteLLM remembers prices by name.
            entry = deployment(f"priced-{price}", made.primary)
            parameters = entry["litellm_params"] | {"model": f"openai/unheard-of-{price}"}
            for name in ("input_cost_per_token", "output_cost_per_token"):
                parameters.pop(name)
                if price is not None:
                    parameters[name] = price
            made.router.set_model_list([{**entry, "litellm_params": parameters}])
            made.failover.attach(made.router)
            answer = await made.ask(f"priced-{price}")
            callback = made.failover.callback
            headers = await callback.async_post_call_response_headers_hook({}, None, answer) or {}
            cost = headers.get("x-gateway-cost")
            expected = pytest.approx(answer.usage.total_tokens * (price or 0)) if told else None
            assert (None if cost is None else float(cost)) == expected

    run(test())

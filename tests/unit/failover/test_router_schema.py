"""Answers that break the JSON schema which their request asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from unit.failover.router_stack import FALLBACK, FAST, IN_SCHEMA, ONE, PROVIDERS, stack
from unit.failover.upstream import Reply

if TYPE_CHECKING:
    from unit.failover.router_stack import Run

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_broken_schema_is_repaired_by_who_broke_it(
    run: Run, provider: str, *, stream: bool
) -> None:
    """The deployment gets its answer back with what is wrong, and its second one is taken."""

    async def test() -> None:
        async with stack(provider=provider) as made:
            made.primary.replies = [Reply("eins"), Reply('{"n": 1}')]
            text = await made.text(stream=stream, response_format=IN_SCHEMA)
            assert text.strip() == '{"n": 1}'
            assert made.outcomes() == [(ONE, "broke-schema"), (ONE, "answered")]
            sent_back = made.primary.asked[1]["messages"][-2:]
            assert sent_back[0]["content"].strip() == "eins"
            assert "not JSON" in sent_back[1]["content"]

    run(test())


@pytest.mark.parametrize("stream", [False, True])
def test_a_schema_broken_twice_falls_back(run: Run, *, stream: bool) -> None:
    """After one repair that failed too the next of the chain answers, and all of it is counted."""

    async def test() -> None:
        async with stack() as made:
            made.primary.default = Reply("eins")
            made.second.default = Reply('{"n": 2}')
            text = await made.text(stream=stream, response_format=IN_SCHEMA)
            assert text.strip() == '{"n": 2}'
            assert made.outcomes() == [(ONE, "broke-schema"), (ONE, "broke-schema"), FALLBACK]
            assert made.condition("primary") == ["up"]

    run(test())


def test_a_schema_broken_twice_goes_to_the_twin(run: Run) -> None:
    """Another deployment of the same alias is next, and nobody is asked a third time."""

    async def test() -> None:
        async with stack(twins=True) as made:
            made.primary.default = Reply("eins")
            made.second.default = Reply('{"n": 2}')
            for _ in range(6):
                assert await made.text(response_format=IN_SCHEMA) == '{"n": 2}'
                assert len(made.record.attempts) in (1, 3)

    run(test())


def test_when_everybody_breaks_the_schema_it_is_an_error(run: Run) -> None:
    """Each deployment is asked twice, and the caller gets no broken answer."""

    async def test() -> None:
        async with stack() as made:
            made.primary.default = made.second.default = Reply("eins")
            with pytest.raises(Exception, match="did not answer in the requested JSON schema"):
                await made.ask(response_format=IN_SCHEMA)
            assert [len(made.primary.asked), len(made.second.asked)] == [2, 2]

    run(test())


def test_schema_repair_can_be_switched_off(run: Run) -> None:
    """Switched off, an answer is handed on as it came."""

    async def test() -> None:
        async with stack(FAST.model_copy(update={"schema_repair": False})) as made:
            made.primary.default = Reply("eins")
            assert await made.text(response_format=IN_SCHEMA) == "eins"
            assert len(made.record.attempts) == 1

    run(test())

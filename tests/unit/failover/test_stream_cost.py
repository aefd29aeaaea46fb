"""What a streamed answer cost, told to its caller at its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from gateway.failover.cost import with_cost
from unit.failover import router_stack
from unit.failover.router_stack import IN_SCHEMA, PROVIDERS, stack
from unit.failover.upstream import Reply

if TYPE_CHECKING:
    from unit.failover.router_stack import Run, Stack

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")


async def usage_at_the_end(made: Stack, **parameters: Any) -> Any:  # noqa: ANN401 -- LiteLLM's
    """Returns the usage that ends a stream."""
    options = {"include_usage": True}
    response = await made.ask(stream=True, stream_options=options, **parameters)
    found = [chunk.usage async for chunk in response if getattr(chunk, "usage", None)]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("price", [0.001, 0])
def test_the_usage_of_a_stream_holds_its_cost(
    run: Run, monkeypatch: pytest.MonkeyPatch, provider: str, price: float
) -> None:
    """Tokens times the deployment's own price, and 0 where that is 0."""
    monkeypatch.setattr(router_stack, "PRICE", price)

    async def test() -> None:
        async with stack(provider=provider) as made:
            made.primary.default = Reply("eins zwei")
            usage = await usage_at_the_end(made)
            assert usage.total_tokens > 0
            assert usage.cost == pytest.approx(usage.total_tokens * price)

    run(test())


def test_a_stream_held_back_for_its_schema_has_its_cost_too(run: Run) -> None:
    """An answer that is read to its end before the caller gets it is no different."""

    async def test() -> None:
        async with stack() as made:
            made.primary.default = Reply('{"n": 2}')
            usage = await usage_at_the_end(made, response_format=IN_SCHEMA)
            assert usage.cost == pytest.approx(usage.total_tokens * router_stack.PRICE)

    run(test())


class _Log:
    """LiteLLM's logging object, where it knows no price or stumbles."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def response_cost_calculator(self, result: object) -> None:
        """Returns no cost."""
        del result
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize("log", [_Log(), _Log(ValueError("no such model")), None])
def test_without_a_price_no_cost_is_told(log: _Log | None) -> None:
    """Unknown is not 0: the chunk stays as the provider's."""
    from litellm.types.utils import ModelResponseStream, Usage  # noqa: PLC0415 -- seconds

    chunk = ModelResponseStream(usage=Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3))

    told = with_cost(chunk, SimpleNamespace(logging_obj=log, model="m"))

    assert told is chunk
    assert getattr(told.usage, "cost", None) is None

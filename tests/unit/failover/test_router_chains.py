"""Several deployments, several aliases, and nobody at all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from unit.failover.router_stack import ONE, TWO, stack
from unit.failover.upstream import Reply

if TYPE_CHECKING:
    from unit.failover.router_stack import Run

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")


def test_a_twin_serves_while_the_other_is_down(run: Run) -> None:
    """Of two deployments under one alias, only the one that is up is asked."""

    async def test() -> None:
        async with stack(twins=True) as made:
            await made.primary.stop()
            asked = [await made.text() for _ in range(12)]
            assert len(asked) == 12
            assert made.condition("primary") == ["down", "up"]
            assert len(made.second.asked) == 12

    run(test())


def test_what_cannot_be_reached_is_out_of_use_for_every_alias_there(run: Run) -> None:
    """Two aliases at one address need not both find out."""

    async def test() -> None:
        async with stack(provider="ollama_chat") as made:
            deployment = dict(made.router.model_list[0])
            deployment["model_name"] = "other"
            deployment["model_info"] = {"id": "other-at-one"}
            made.router.set_model_list([*made.router.model_list, deployment])
            made.failover.attach(made.router)
            await made.primary.stop()
            await made.text()
            assert made.condition("other") == ["down"]

    run(test())


def test_a_bad_request_is_not_retried_and_keeps_its_deployment(run: Run) -> None:
    """A 400 is the caller's: one attempt at each alias, and both stay in use."""

    async def test() -> None:
        async with stack() as made:
            made.primary.default = made.second.default = Reply(status=400)
            for _ in range(4):
                with pytest.raises(Exception, match="BadRequestError"):
                    await made.ask()
                assert made.outcomes() == [(ONE, "request"), (TWO, "request")]
            assert made.condition("primary") + made.condition("second") == ["up", "up"]

    run(test())


def test_a_callers_own_fallbacks_hold(run: Run) -> None:
    """Fallbacks in the request replace the router's, and can be refused."""

    async def test() -> None:
        async with stack() as made:
            await made.second.stop()
            await made.text("primary")
            await made.text("second", fallbacks=["primary"])
            assert made.outcomes()[-1] == (ONE, "answered")
            with pytest.raises(ValueError, match="No deployments available"):
                await made.ask("second", disable_fallbacks=True)

    run(test())


def test_when_all_are_down_the_error_comes_at_once(run: Run) -> None:
    """Nobody waits for connections that are known to fail."""

    async def test() -> None:
        async with stack() as made:
            await made.primary.stop()
            await made.second.stop()
            for attempts in (2, 0, 0):
                began = time.monotonic()
                with pytest.raises(Exception, match=r".+"):
                    await made.ask()
                assert len(made.record.attempts) == attempts
            assert time.monotonic() - began < 1

    run(test())

"""Which alias is tried after which."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from gateway.access.caller import Caller
from gateway.errors import GatewayError
from gateway.request import Controls
from gateway.routing.failure import Failure
from unit.routing import fakes
from unit.routing.fakes import deployment, routing, run

ALIASES = [deployment(alias) for alias in ("first", "second", "third", "fourth")]


def asked_by(
    failures: dict[str, Failure],
    controls: Controls | None = None,
    **router: Any,
) -> list[str]:
    """Return the aliases that a request for `first` goes to, in order."""
    asked: list[str] = []

    async def test() -> None:
        async with routing(*ALIASES, num_retries=0, **router) as made:
            made.provider.default.update(failures)
            with suppress(GatewayError):
                await made.ask(controls=controls or Controls())
            asked.extend(name for name, _, _ in made.provider.asked)

    run(test())
    return asked


GENERAL = {"first": ("second",)}


@pytest.mark.parametrize(
    "failure", [fakes.DEAD, fakes.ERROR, fakes.BAD, fakes.TOO_LONG, fakes.REFUSED]
)
def test_the_general_chain_holds_where_there_is_no_special_one(failure: Failure) -> None:
    """Where no special chain is set, the general one applies to every kind of failure."""
    assert asked_by({"first": failure}, fallbacks=GENERAL) == ["first", "second"]


@pytest.mark.parametrize(
    ("failure", "setting"),
    [(fakes.TOO_LONG, "context_window_fallbacks"), (fakes.REFUSED, "content_policy_fallbacks")],
)
def test_a_refusal_has_a_chain_of_its_own(failure: Failure, setting: str) -> None:
    """A prompt refused for length or content takes its special chain, other failures do not."""
    chains: dict[str, Any] = {"fallbacks": GENERAL, setting: {"first": ("third",)}}
    assert asked_by({"first": failure}, **chains) == ["first", "third"]
    assert asked_by({"first": fakes.DEAD}, **chains) == ["first", "second"]


def test_a_special_chain_for_another_alias_ends_it() -> None:
    """A refused prompt has no fallback if special chains name other aliases, as in LiteLLM."""
    special = {"second": ("third",)}
    found = asked_by({"first": fakes.TOO_LONG}, fallbacks=GENERAL, context_window_fallbacks=special)
    assert found == ["first"]


def test_default_fallbacks_hold_for_who_has_none() -> None:
    """An alias without a chain goes to the default fallbacks, one with a chain to its own."""
    assert asked_by({"first": fakes.DEAD}, default_fallbacks=("third",)) == ["first", "third"]
    found = asked_by({"first": fakes.DEAD}, fallbacks=GENERAL, default_fallbacks=("third",))
    assert found == ["first", "second"]


def test_chains_are_followed_depth_first_and_each_alias_once() -> None:
    """A fallback's own fallbacks come before its siblings, and no alias is tried twice."""
    chains = {"first": ("second", "fourth"), "second": ("third", "first"), "third": ("second",)}
    dead = dict.fromkeys(("first", "second", "third", "fourth"), fakes.DEAD)
    assert asked_by(dead, fallbacks=chains) == ["first", "second", "third", "fourth"]


def test_no_more_aliases_are_tried_than_allowed() -> None:
    """At most `max_fallbacks` aliases are tried after the first one."""
    chains = {"first": ("second", "third", "fourth")}
    dead = dict.fromkeys(("first", "second", "third"), fakes.DEAD)
    assert asked_by(dead, fallbacks=chains, max_fallbacks=2) == ["first", "second", "third"]
    assert asked_by(dead, fallbacks=chains, max_fallbacks=0) == ["first"]


@pytest.mark.parametrize("failure", [fakes.DEAD, fakes.TOO_LONG])
def test_a_requests_own_fallbacks_win_and_can_be_refused(failure: Failure) -> None:
    """A request's own fallbacks replace the configured ones, and it can refuse any."""
    own = Controls(fallbacks=("nonsense", "third"))
    assert asked_by({"first": failure}, own, fallbacks=GENERAL) == ["first", "third"]
    none = Controls(disable_fallbacks=True)
    assert asked_by({"first": failure}, none, fallbacks=GENERAL) == ["first"]


async def test_a_requests_own_fallbacks_give_access_to_nothing() -> None:
    """A request does not fall back to an alias that its key may not use."""
    async with routing(*ALIASES, num_retries=0) as made:
        made.provider.default["first"] = fakes.DEAD
        caller = Caller(models=frozenset({"first", "third"}))
        controls = Controls(fallbacks=("second", "third"))
        await made.ask(caller=caller, controls=controls)
        assert made.outcomes()[-1] == ("third", "answered")
        assert made.provider.calls("second") == 0


async def test_a_name_may_stand_for_an_alias() -> None:
    """A name in `model_group_alias` leads to the deployments of another alias."""
    async with routing(*ALIASES, group_aliases={"other": ("first", False)}) as made:
        await made.ask("other")
        assert made.outcomes() == [("first", "answered")]


async def test_an_unknown_model_is_the_callers_mistake() -> None:
    """An unknown model gets 400 with the field `model`, and its name comes back shortened."""
    async with routing() as made:
        with pytest.raises(GatewayError) as told:
            await made.ask("x" * 5000)
        assert (told.value.status, told.value.param) == (400, "model")
        assert len(told.value.message) < 400


async def test_a_deployment_is_asked_by_its_id() -> None:
    """A request for a deployment's id asks it alone, without the fallbacks of its alias."""
    asked: list[str] = []

    pair = [deployment("first", name) for name in ("one", "two")]
    async with routing(*pair, *ALIASES[1:], num_retries=0, fallbacks=GENERAL) as made:
        made.provider.default["two"] = fakes.DEAD
        with suppress(GatewayError):
            await made.ask("two")
        asked.extend(name for name, _, _ in made.provider.asked)
    assert asked == ["two"]

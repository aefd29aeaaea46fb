"""Budgets under many callers at once, and limits by the minute."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from gateway.access.caller import Caller, Entity, Kind, Position
from gateway.errors import BudgetExceededError, GatewayError, RateLimitError
from gateway.limits import limits as limits_module
from gateway.limits.limits import Limits
from gateway.limits.reservation import Reservation
from unit.limits.callers import at, caller, key, team


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


def admitted(limits: Limits, who: Caller, bound: float = 0.0, tokens: int = 0) -> Reservation:
    """Return the reservation of a request that must not wait."""
    return asyncio.run(limits.reserve(who, bound, tokens))


@pytest.mark.parametrize("callers", [30, 300])
def test_of_many_at_once_a_budget_for_ten_lets_ten_through(callers: int) -> None:
    """A budget that pays for ten requests admits ten of many at once, and is used up exactly."""
    who = caller(key(max_budget=0.000612), team(max_budget=0.01))
    limits = Limits()
    positions = iter(range(callers))
    answered: list[float] = []

    async def ask() -> None:
        reservation = await limits.reserve(who, 0.0000873, 400)
        await asyncio.sleep(0)
        answered.append(0.0000612)
        reservation.settle(0.0000612, 108, at(next(positions)))

    async def all_of_them() -> list[BaseException | None]:
        return await asyncio.gather(*(ask() for _ in range(callers)), return_exceptions=True)

    results = asyncio.run(all_of_them())

    assert len(answered) == 10
    refused = [each for each in results if each is not None]
    assert all(isinstance(each, BudgetExceededError) for each in refused)
    assert len(refused) == callers - 10
    assert limits.spend_of(Kind.TEAM, "blue") == pytest.approx(0.000612)


@pytest.mark.parametrize("callers", [30, 300])
async def test_who_waits_on_several_budgets_is_never_stuck(callers: int) -> None:
    """Requests that wait on overlapping budgets in different orders all get through."""
    ends = [key("a", max_budget=10.0), key("b", max_budget=10.0), team(max_budget=10.0)]
    pairs = [caller(*ends), caller(*reversed(ends)), caller(ends[1], ends[2])]
    limits = Limits()

    async def ask(number: int) -> None:
        reservation = await limits.reserve(pairs[number % 3], 9.0, 1)
        await asyncio.sleep(0)
        if number % 5:
            reservation.settle(1e-6, 1, at(number))
        else:
            reservation.release()

    await asyncio.wait_for(asyncio.gather(*map(ask, range(callers))), 30)


async def test_who_came_first_is_admitted_first() -> None:
    """Requests that wait for room in the same budget are admitted in the order they came."""
    who = caller(key(max_budget=1.0))
    limits = Limits()
    order: list[int] = []

    async def ask(number: int) -> None:
        reservation = await limits.reserve(who, 0.9, 1)
        order.append(number)
        await asyncio.sleep(0)
        reservation.settle(0.01, 1, at(number))

    await asyncio.gather(*map(ask, range(4)))

    assert order == [0, 1, 2, 3]


def test_waiting_ends_with_429() -> None:
    """A request that waits too long for room in its budget gets 429 and leaves the queue."""
    who = caller(key(max_budget=1.0))
    limits = Limits(wait_seconds=0.001)
    admitted(limits, who, 0.9)

    with pytest.raises(RateLimitError, match="Requests in progress have reserved") as refused:
        admitted(limits, who, 0.9)

    assert refused.value.status == 429
    assert refused.value.retry_after == 1
    assert not limits._accounts[Kind.KEY, "hash"].waiting


async def test_a_raised_budget_lets_in_who_waits() -> None:
    """A raised budget admits a waiting request as soon as another request shows it."""
    limits = Limits()

    await limits.reserve(caller(key(max_budget=1.0)), 0.9, 1)
    waiting = asyncio.ensure_future(limits.reserve(caller(key(max_budget=1.0)), 0.9, 1))
    await asyncio.sleep(0)
    assert not waiting.done()
    await limits.reserve(caller(key(max_budget=3.0)), 0.9, 1)
    await asyncio.wait_for(waiting, 5)


def test_while_nothing_may_be_passed_what_might_not_fit_is_refused() -> None:
    """A request that might pass its budget is refused while no budget may be passed."""
    is_away = True
    limits = Limits(refuse_what_might_not_fit=lambda: is_away)
    who = caller(key(max_budget=1.0))

    with pytest.raises(BudgetExceededError, match="might exceed a budget"):
        admitted(limits, who, 1.5)
    admitted(limits, who, 0.9).settle(0.5, 1, at(0))
    is_away = False

    assert admitted(limits, who, 1.5)


def test_nothing_holds_the_master_key() -> None:
    """The master key's spend is counted, but no budget or limit refuses its requests."""
    limits = Limits()
    who = caller(key(max_budget=0.0, rpm=0), is_admin=True)

    admitted(limits, who, 5.0).settle(3.0, 1, at(0))

    assert limits.spend_of(Kind.KEY, "hash") == 3.0


def test_what_costs_nothing_is_not_held_to_a_budget() -> None:
    """A request that costs nothing is admitted although the budget is spent, as in LiteLLM."""
    limits = Limits()
    spent = caller(key(max_budget=1.0, spend=1.0))

    assert admitted(limits, spent, 0.0)
    with pytest.raises(BudgetExceededError):
        admitted(limits, spent, 1e-9)


@pytest.mark.parametrize(
    ("kind", "id_", "words"),
    [
        (Kind.KEY, "hash", "Budget has been exceeded! Key=anna Current cost: 2.0, Max budget: 1.0"),
        (Kind.TEAM, "t", "Budget has been exceeded! Team=t Current cost: 2.0, Max budget: 1.0"),
        (Kind.TEAM_MEMBER, "t%3A::u", "Budget has been exceeded! User=u in Team=t: Current cost"),
        (Kind.USER, "u", "ExceededBudget: User=u over budget. Spend=2.0, Budget=1.0"),
        (Kind.END_USER, "e", "ExceededBudget: End User=e over budget. Spend=2.0, Budget=1.0"),
        (Kind.ORGANIZATION, "o", "Budget has been exceeded! Organization=o Current cost: 2.0"),
    ],
)
def test_a_spent_budget_is_refused_in_litellms_words(kind: Kind, id_: str, words: str) -> None:
    """A spent budget is refused with LiteLLM's message, which clients look for."""
    spent = caller(Entity(kind, id_, name="anna", spend=2.0, max_budget=1.0))

    with pytest.raises(BudgetExceededError) as refused:
        admitted(Limits(), spent, 0.1)

    assert refused.value.message.startswith(words)
    assert refused.value.type == "budget_exceeded"


def test_a_bill_beyond_the_bound_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A bill above its bound is charged in full and logged with the key's name."""
    limits = Limits()
    with caplog.at_level(logging.WARNING):
        admitted(limits, caller(key(max_budget=1.0)), 0.1).settle(0.2, 1, at(0))

    assert caplog.messages == ["a bill of 0.200000 USD of anna exceeds its bound of 0.100000 USD"]
    assert limits.spend_of(Kind.KEY, "hash") == 0.2


def test_a_snapshot_read_after_the_cost_was_applied_holds_it() -> None:
    """A cost that a snapshot already holds is not counted again when the request ends."""
    limits = Limits()
    reservation = admitted(limits, caller(key()), 0.1)
    admitted(limits, caller(key(spend=0.1, position=at(0)))).release()

    reservation.settle(0.1, 1, at(0))

    assert limits.spend_of(Kind.KEY, "hash") == 0.1


def test_an_older_snapshot_changes_nothing() -> None:
    """A snapshot that is older, or that was already replaced, changes nothing."""
    limits = Limits()
    old, late, new = key(spend=7.0), key(spend=8.0), key(spend=1.0, position=at(5))
    same_position = key(spend=0.0, position=at(5))
    for seen in (old, new, late, old, same_position, new):
        admitted(limits, caller(seen)).release()

    assert limits.spend_of(Kind.KEY, "hash") == 0.0


def test_a_snapshot_of_no_journal_lacks_what_is_not_known_to_be_applied() -> None:
    """Costs not known to be applied still count after a snapshot without a position."""
    limits = Limits()
    for number in range(3):
        limits.charge(caller(key()), 1.0, 1, at(number))
    limits.applied(at(0))

    admitted(limits, caller(key(spend=1.0, position=Position()))).release()

    assert limits.spend_of(Kind.KEY, "hash") == 3.0


def test_costs_that_stand_in_no_journal_are_counted_until_the_next_snapshot() -> None:
    """A cost that is in no journal counts until the next snapshot arrives."""
    limits = Limits()
    limits.charge(caller(key()), 1.0, 1, None)
    assert limits.spend_of(Kind.KEY, "hash") == 1.0

    admitted(limits, caller(key(spend=1.0))).release()

    assert limits.spend_of(Kind.KEY, "hash") == 1.0


def test_costs_long_in_the_database_are_forgotten() -> None:
    """Costs that have long been in the database are forgotten, so that memory stays flat."""
    clock = Clock()
    limits = Limits(clock=clock)
    who = caller(key(max_budget=1000.0))
    for number in range(500):
        admitted(limits, who, 1.0).settle(0.5, 1, at(number))
        limits.applied(at(number))
        clock.now += 1

    assert len(limits._accounts[Kind.KEY, "hash"].costs) <= 32
    assert limits.spend_of(Kind.KEY, "hash") == 250.0


def test_a_journal_of_another_gateway_moves_nothing() -> None:
    """Progress in another gateway's journal says nothing of this gateway's own costs."""
    limits = Limits()
    limits.charge(caller(key()), 1.0, 1, at(0))

    limits.applied(Position("left-behind", 99))

    assert limits._applied == -1


def test_end_users_without_limits_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle end users without limits are forgotten beyond a number; those with a budget stay."""
    monkeypatch.setattr(limits_module, "MAX_IDLE_ACCOUNTS", 10)
    limits = Limits()
    limits._forget_beyond = 10
    for number in range(100):
        admitted(limits, caller(Entity(Kind.END_USER, f"u{number}"))).release()
        admitted(limits, caller(Entity(Kind.END_USER, "kept", max_budget=1.0)), 0.1).release()

    assert len(limits._accounts) <= 21
    assert len(limits._by_snapshot) == len(limits._accounts)
    assert limits.spend_of(Kind.END_USER, "kept") == 0.0


def test_requests_of_a_minute_are_counted_from_its_first() -> None:
    """A request over its per-minute limit is refused with the seconds left in that minute."""
    clock = Clock()
    limits = Limits(clock=clock)
    who = caller(key(rpm=3))
    for _ in range(3):
        admitted(limits, who).release()
        clock.now += 10

    with pytest.raises(RateLimitError, match=r"api_key: anna\. Limit type: requests") as refused:
        admitted(limits, who)
    assert refused.value.retry_after == 30
    assert refused.value.headers["rate_limit_type"] == "requests"

    clock.now += 30
    assert admitted(limits, who)


def test_a_refused_request_counts_nowhere() -> None:
    """A request that its key's limit refuses does not count towards its team's limit."""
    limits = Limits(clock=Clock())
    who = caller(team(rpm=5), key(rpm=1))
    admitted(limits, who)
    for _ in range(10):
        with pytest.raises(RateLimitError):
            admitted(limits, who)

    assert admitted(limits, caller(team(rpm=5), key("other"))).headers == {
        "x-ratelimit-team-remaining-requests": "3",
        "x-ratelimit-team-limit-requests": "5",
    }


def test_tokens_count_when_they_are_known() -> None:
    """Used tokens count towards the per-minute limit; a high upper bound alone does not."""
    clock = Clock()
    limits = Limits(clock=clock)
    who = caller(key(tpm=100))
    admitted(limits, who, tokens=16_000).settle(0.0, 60, None)
    admitted(limits, who, tokens=16_000).settle(0.0, 40, None)

    with pytest.raises(RateLimitError, match=r"Limit type: tokens\. Current limit: 100, Remaining"):
        admitted(limits, who, tokens=1)

    clock.now += 60
    assert admitted(limits, who, tokens=1)


def test_four_requests_at_once_share_the_tokens_of_a_minute() -> None:
    """Four parallel requests share the per-minute tokens; a fifth is refused until one ends."""
    limits = Limits(clock=Clock())
    who = caller(key(tpm=100))
    first = admitted(limits, who, tokens=5_000)
    for _ in range(3):
        admitted(limits, who, tokens=5_000)
    with pytest.raises(RateLimitError):
        admitted(limits, who, tokens=5_000)

    first.release()

    assert admitted(limits, who, tokens=5_000).headers["x-ratelimit-api_key-remaining-tokens"] == (
        "0"
    )


def test_requests_at_once_are_bounded() -> None:
    """With two parallel requests allowed, a third is refused until one has ended."""
    limits = Limits()
    who = caller(key(max_parallel=2))
    first = admitted(limits, who)
    second = admitted(limits, who)
    assert second.headers == {
        "x-ratelimit-api_key-remaining-max_parallel_requests": "0",
        "x-ratelimit-api_key-limit-max_parallel_requests": "2",
    }
    with pytest.raises(RateLimitError, match="Limit type: max_parallel_requests"):
        admitted(limits, who)

    first.settle(0.0, 1, None)

    assert admitted(limits, who)


@pytest.mark.parametrize(
    "end", [lambda r: r.release(), lambda r: r.settle(1.0, 5, at(0))], ids=["release", "settle"]
)
def test_a_reservation_ends_once(end: Callable[[Reservation], None]) -> None:
    """Once a reservation was released or settled, ending it again does nothing."""
    limits = Limits()
    reservation = admitted(limits, caller(key(max_budget=10.0, tpm=100)), 2.0, 5)
    end(reservation)
    spent = limits.spend_of(Kind.KEY, "hash")
    reservation.release()
    reservation.settle(3.0, 9, at(1))

    account = limits._accounts[Kind.KEY, "hash"]
    assert account.window is not None
    assert (account.open, account.reserved, account.window.held) == (0, 0.0, 0)
    assert limits.spend_of(Kind.KEY, "hash") == spent


def test_every_refusal_is_told_to_the_caller() -> None:
    """A refusal by a limit is an OpenAI error of the type `rate_limit_error`."""
    with pytest.raises(GatewayError) as refused:
        admitted(Limits(), caller(key(rpm=0)))

    assert refused.value.body()["error"]["type"] == "rate_limit_error"

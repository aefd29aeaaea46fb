"""Callers in memory: read once, again after a change, and served while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from gateway.access.identity import Identity, Settings
from gateway.access.known import OLD_SECONDS, UNKNOWN_SECONDS, KnownCallers
from gateway.access.rows import Common, Wanted
from gateway.errors import AuthenticationError, PermissionDeniedError, UnavailableError
from unit.access.people import CATALOGUE, NOW, TOKEN, FakeDatabase, FakeReader, found, key

ONE = Wanted(TOKEN)


class World:
    """Known callers over a database that a test can change and stop."""

    def __init__(self, *, serves_old: bool = True) -> None:
        self.database = FakeDatabase()
        self.reader = FakeReader(self.database)
        self.time = 0.0
        self.known = KnownCallers(
            self.database,  # type: ignore[arg-type] # a fake
            self.reader,  # type: ignore[arg-type] # a fake
            Settings(CATALOGUE),
            default_budget="d",
            serves_old=serves_old,
            clock=lambda: self.time,
        )
        self.reader.callers.known[ONE] = found(key=key(budget_id="b"))

    def read(self) -> Identity:
        """Read the one key."""
        return asyncio.run(self.known.read(TOKEN))

    @property
    def reads(self) -> int:
        """How often a key was looked up."""
        return len(self.reader.callers.asked)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)


def test_a_key_is_read_once() -> None:
    """A key that was read once stays in memory."""
    world = World()
    assert world.known.fresh(TOKEN, NOW) is None
    made = world.read()
    assert world.known.fresh(TOKEN, NOW) is made


@pytest.mark.parametrize("row", [("key", TOKEN), ("budget", "b"), ("common",)])
def test_a_change_of_a_row_behind_a_key_has_it_read_again(row: tuple[str, ...]) -> None:
    """A key is read again after a change to its row, its budget or the common settings."""
    world = World()
    world.read()
    world.known.invalidate(("key", "another"))
    assert world.known.fresh(TOKEN, NOW) is not None

    world.known.invalidate(row)

    assert world.known.fresh(TOKEN, NOW) is None
    world.reader.callers.known[ONE] = found(key=key(blocked=True))
    assert world.read().refusal is not None


def test_after_a_gap_everything_is_read_again() -> None:
    """After a gap in the notifications, keys in memory are read again."""
    world = World()
    world.read()
    world.known.invalidate_all()
    assert world.known.fresh(TOKEN, NOW) is None


def test_a_change_on_the_way_is_not_missed() -> None:
    """A key whose row changes while it is being read is read once more."""
    world = World()

    def block() -> None:
        world.reader.callers.meanwhile = lambda: None
        world.reader.callers.known[ONE] = found(key=key(blocked=True))
        world.known.invalidate(("key", TOKEN))

    world.reader.callers.meanwhile = block
    assert world.read().refusal is not None
    assert world.reads == 2


def test_an_unknown_key_is_remembered_for_a_moment() -> None:
    """An unknown key is looked up again after a moment, or as soon as it is made."""
    world = World()
    world.reader.callers.known.clear()
    for _ in range(3):
        with pytest.raises(AuthenticationError):
            world.read()
    assert world.reads == 1

    world.time += UNKNOWN_SECONDS
    with pytest.raises(AuthenticationError):
        world.read()
    assert world.reads == 2

    world.reader.callers.known[ONE] = found(key=key())
    world.known.invalidate(("key", TOKEN))
    assert world.read().caller.key_hash == TOKEN


def test_a_deleted_key_is_forgotten() -> None:
    """A deleted key is refused at its next request and leaves memory."""
    world = World()
    world.read()
    world.reader.callers.known.clear()
    world.known.invalidate(("key", TOKEN))
    with pytest.raises(AuthenticationError):
        world.read()
    assert len(world.known) == 0


def test_while_the_database_is_away_known_keys_are_served_for_a_day() -> None:
    """While the database is away, known keys are served for a day and others are refused."""
    world = World()
    made = world.read()
    world.database.answers = False
    world.known.invalidate_all()
    assert world.read() is made
    with pytest.raises(UnavailableError):
        run(world.known.read("another"))

    world.time = OLD_SECONDS
    with pytest.raises(UnavailableError):
        world.read()


def test_with_refuse_no_caller_is_served_from_memory() -> None:
    """With the policy `refuse`, a stale key gets 503 while the database is away."""
    world = World(serves_old=False)
    world.read()
    world.database.answers = False
    world.known.invalidate_all()
    with pytest.raises(UnavailableError) as refused:
        world.read()
    assert (refused.value.status, refused.value.retry_after) == (503, 5)


def test_an_end_user_is_read_once_and_again_after_a_change() -> None:
    """An end user is read once, and again when their row, budget or default budget changes."""
    world = World()
    made = world.read()
    row = {"user_id": "e", "budget_id": "eb"}
    world.reader.end_users.known["e"] = found(end_user=row, end_user_budget={"max_budget": 1.0})
    first = run(world.known.for_end_user(made, "e"))
    assert run(world.known.for_end_user(made, "e")) is first
    assert first.entities[-1].max_budget == 1.0

    world.reader.end_users.known["e"] = found(end_user=row, end_user_budget={"max_budget": 2.0})
    world.known.invalidate(("budget", "eb"))
    assert run(world.known.for_end_user(made, "e")).entities[-1].max_budget == 2.0

    world.reader.end_users.known["e"] = found(end_user={"user_id": "e"})
    world.known.invalidate(("end_user", "e"))
    assert run(world.known.for_end_user(made, "e")).entities[-1].max_budget is None

    world.reader.common = Common(end_user_default={"budget_id": "d", "max_budget": 3.0})
    world.known.invalidate(("budget", "d"))
    assert run(world.known.for_end_user(made, "e")).entities[-1].max_budget == 3.0


def test_a_blocked_end_user_is_refused() -> None:
    """A blocked end user is refused, while the key's other end users are served."""
    world = World()
    made = world.read()
    world.reader.end_users.known["e"] = found(end_user={"user_id": "e", "blocked": True})
    with pytest.raises(PermissionDeniedError):
        run(world.known.for_end_user(made, "e"))
    assert run(world.known.for_end_user(made, "f")).end_user_id == "f"


def test_without_the_database_an_unknown_end_user_has_no_limits() -> None:
    """While the database is away, a known end user keeps their limits and a new one has none."""
    world = World()
    made = world.read()
    row = {"user_id": "e", "budget_id": "eb"}
    world.reader.end_users.known["e"] = found(end_user=row, end_user_budget={"max_budget": 1.0})
    run(world.known.for_end_user(made, "e"))
    world.database.answers = False
    world.known.invalidate_all()
    assert run(world.known.for_end_user(made, "e")).entities[-1].max_budget == 1.0
    assert run(world.known.for_end_user(made, "new")).entities[-1].max_budget is None


def test_looking_reads_those_in_use_and_marks_the_others() -> None:
    """A periodic check reads keys in use again and marks unused ones as stale."""
    world = World()
    world.read()
    run(world.known.reload_used())
    assert world.reads == 2
    world.reader.callers.known[ONE] = found(key=key(blocked=True))
    assert world.known.fresh(TOKEN, NOW) is not None  # in use

    run(world.known.reload_used())
    assert world.reads == 3
    looked = world.known.fresh(TOKEN, NOW)
    assert looked is not None
    assert looked.refusal is not None

    run(world.known.reload_used())
    run(world.known.reload_used())
    assert world.reads == 4
    assert world.known.fresh(TOKEN, NOW) is None


def test_a_session_is_its_user_where_there_is_no_key() -> None:
    """Sessions of two users that share one hash are two callers."""
    world = World()
    for user in ("u", "v"):
        session = Wanted("session", user)
        world.reader.callers.known[session] = found(owner={"user_id": user})
        assert run(world.known.read(session)).caller.user_id == user

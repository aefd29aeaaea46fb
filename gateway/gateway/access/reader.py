"""Read callers from the database: each only once, however many requests wait for it.

One statement reads many callers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gateway.access import refusals, statements
from gateway.access.database import DatabaseAwayError
from gateway.access.rows import Common, Found, Wanted, by_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Sequence

    from gateway.access.database import Database

MAX_BATCH = 200
MAX_WAITING = 2_000
RUNNING = 2
"""Statements under way at once for one kind of lookup."""

K = TypeVar("K", bound="Hashable")


class BatchedLookups(Generic[K]):
    """Lookups of one kind: combined while they wait, and refused when too many wait."""

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Sequence[Found]]]) -> None:
        self._read = read
        self._waiting: dict[K, asyncio.Future[Found]] = {}
        self._under_way: dict[K, asyncio.Future[Found]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, wanted: K) -> Found:
        """Return what the database has about one caller or end user.

        Raises:
            DatabaseAwayError: the database does not answer.
            UnavailableError: too many other lookups wait.
        """
        future = self._under_way.get(wanted) or self._waiting.get(wanted)
        if future is None:
            if len(self._waiting) >= MAX_WAITING:
                raise refusals.too_many_lookups()
            future = self._waiting[wanted] = asyncio.get_running_loop().create_future()
            if len(self._tasks) < RUNNING:
                task = asyncio.create_task(self._work())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(future)

    async def close(self) -> None:
        """Stop; every lookup that waits fails with DatabaseAwayError."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for future in self._waiting.values():
            _fail(future, DatabaseAwayError("stopped"))
        self._waiting.clear()

    async def _work(self) -> None:
        while self._waiting:
            batch = {key: self._waiting.pop(key) for key in list(self._waiting)[:MAX_BATCH]}
            self._under_way.update(batch)
            error: Exception = DatabaseAwayError("stopped")
            found: Sequence[Found] = ()
            try:
                found = await self._read(tuple(batch))
            except Exception as reading:  # noqa: BLE001 -- it is for those who wait
                error = reading
            finally:
                for key in batch:
                    del self._under_way[key]
                for number, future in enumerate(batch.values()):
                    if number < len(found):
                        future.set_result(found[number])
                    else:
                        _fail(future, error)


def _fail(future: asyncio.Future[Found], error: Exception) -> None:
    future.set_exception(error)
    future.exception()  # mark it as read: if nothing waits any more, asyncio would complain


class CallerReader:
    """Reads everything about callers.

    Attributes:
        callers: lookups of keys, or of a user and a team without a key.
        end_users: lookups of end users, by their ids.
    """

    def __init__(self, database: Database, journal_id: str, default_budget: str | None) -> None:
        self._database = database
        self._journal_id = journal_id
        self._default_budget = default_budget
        self._has_positions = False
        self.callers: BatchedLookups[Wanted] = BatchedLookups(self.read_callers)
        self.end_users: BatchedLookups[str] = BatchedLookups(self.read_end_users)

    async def read_callers(self, wanted: Sequence[Wanted]) -> list[Found]:
        """Return what the database has about some callers, in their order and in one snapshot."""
        values = {
            "keys": [each.token for each in wanted],
            "users": [each.user_id for each in wanted],
            "teams": [each.team_id for each in wanted],
        }
        rows = await self._fetch(statements.callers, values)
        return [
            Found(by_name(row[2:-1], statements.KEY_VALUES), _position(row[1]), row[-1] or ())
            for row in rows
        ]

    async def read_end_users(self, wanted: Sequence[str]) -> list[Found]:
        """Return what the database has about some end users, in their order and in one snapshot."""
        rows = await self._fetch(statements.end_users, {"end_users": list(wanted)})
        return [
            Found(by_name(row[2:], statements.END_USER_VALUES), _position(row[1])) for row in rows
        ]

    async def read_common(self) -> Common:
        """Return what holds for all callers."""
        values = {"default_budget": self._default_budget}
        (row,) = await self._database.fetch(statements.COMMON, values)
        default = by_name(row[2:], statements.DEFAULT_VALUES).get("end_user_default", {})
        return Common(frozenset(row[0]), frozenset(row[1]), default)

    async def read_others(self) -> object:
        """Return a value that changes whenever costs from another journal are applied."""
        if not await self._knows_positions():
            return None
        ((total,),) = await self._database.fetch(statements.OTHERS, {"journal": self._journal_id})
        return total

    async def close(self) -> None:
        """Stop all lookups."""
        await self.callers.close()
        await self.end_users.close()

    async def _fetch(
        self, statement: Callable[..., str], values: dict[str, Any]
    ) -> list[tuple[Any, ...]]:
        text = statement(with_position=await self._knows_positions())
        # If the table is gone the statement fails, and the next one checks for the table again.
        self._has_positions, known = False, self._has_positions
        rows = await self._database.fetch(text, {**values, "journal": self._journal_id})
        self._has_positions = known
        return sorted(rows, key=_number)

    async def _knows_positions(self) -> bool:
        if not self._has_positions:
            ((self._has_positions,),) = await self._database.fetch(statements.HAS_POSITIONS, {})
        return self._has_positions


def _number(row: tuple[Any, ...]) -> int:
    return int(row[0])


def _position(value: int | None) -> int:
    return -1 if value is None else value

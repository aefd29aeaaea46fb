"""Look-ups are joined, batched and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.access import reader
from gateway.access.database import DatabaseAwayError
from gateway.access.reader import BatchedLookups
from gateway.access.rows import Found
from gateway.errors import UnavailableError


class Slow:
    """Reads when it is let go, and remembers what was asked together."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self.batches: list[tuple[str, ...]] = []
        self.error = error

    async def __call__(self, wanted: Sequence[str]) -> list[Found]:
        """Return a row for each."""
        self.batches.append(tuple(wanted))
        await self.go.wait()
        if self.error:
            raise self.error
        return [Found({"key": {"token": each}}) for each in wanted]


async def test_who_waits_for_the_same_shares_one_look_up() -> None:
    """A hundred requests with the same new key share one look-up."""
    slow = Slow()
    lookups: BatchedLookups[str] = BatchedLookups(slow)
    tasks = [asyncio.create_task(lookups.get("a")) for _ in range(100)]
    await asyncio.sleep(0)
    slow.go.set()
    found = await asyncio.gather(*tasks)
    assert {each["key"]["token"] for each in found} == {"a"}
    assert slow.batches == [("a",)]


async def test_who_comes_while_others_are_read_is_read_together() -> None:
    """Five hundred new keys that arrive together are read in at most four statements."""
    slow = Slow()
    lookups: BatchedLookups[str] = BatchedLookups(slow)
    tasks = [asyncio.create_task(lookups.get(f"{number}")) for number in range(500)]
    await asyncio.sleep(0.01)
    slow.go.set()
    found = await asyncio.gather(*tasks)
    assert [each["key"]["token"] for each in found] == [f"{number}" for number in range(500)]
    assert len(slow.batches) <= 4


async def test_too_many_that_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up is refused at once when too many are waiting already."""
    monkeypatch.setattr(reader, "MAX_WAITING", 3)

    lookups: BatchedLookups[str] = BatchedLookups(Slow())
    tasks = []
    for number in range(reader.RUNNING + 3):  # each of the first is under way by itself
        tasks.append(asyncio.create_task(lookups.get(f"{number}")))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await lookups.get("one more")
    await lookups.close()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_error_is_for_all_who_wait_and_for_nobody_after_them() -> None:
    """A look-up that failed is not remembered: the next one reads again."""
    slow = Slow(DatabaseAwayError("gone"))
    slow.go.set()
    lookups: BatchedLookups[str] = BatchedLookups(slow)
    with pytest.raises(DatabaseAwayError):
        await lookups.get("a")
    slow.error = None
    assert (await lookups.get("a"))["key"]["token"] == "a"


async def test_one_who_leaves_takes_the_answer_from_nobody() -> None:
    """A client that disconnects does not end the look-up that others wait for."""
    slow = Slow()
    lookups: BatchedLookups[str] = BatchedLookups(slow)
    leaves = asyncio.create_task(lookups.get("a"))
    stays = asyncio.create_task(lookups.get("a"))
    await asyncio.sleep(0)
    leaves.cancel()
    slow.go.set()
    assert (await stays)["key"]["token"] == "a"

"""What is kept in memory: the most recent, and what changes them."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Dependency = tuple[str, ...]
"""The kind of a row and its id, as a notification names it."""


class Read(Protocol):
    """Something that was read from rows.

    Attributes:
        depends_on: the rows that change it, also those that do not exist yet.
        is_stale: whether one of them has changed since.
    """

    depends_on: frozenset[Dependency]
    is_stale: bool


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
R = TypeVar("R", bound=Read)


class Recent(Generic[K, V]):
    """The most recently used values, at most so many."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return a value, and count it as used."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def peek(self, key: K) -> V | None:
        """Return a value, without counting it as used."""
        return self._values.get(key)

    def put(self, key: K, value: V) -> V | None:
        """Keep a value; return the one that went, for want of room or for this one."""
        before = self._values.pop(key, None)
        self._values[key] = value
        if len(self._values) > self._size:
            return self._values.popitem(last=False)[1]
        return before

    def drop(self, key: K) -> V | None:
        """Forget a value, and return it."""
        return self._values.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()

    def items(self) -> Iterator[tuple[K, V]]:
        """Yield everything, the least recently used first."""
        yield from self._values.items()

    def values(self) -> Iterator[V]:
        """Yield all values, in the same order."""
        yield from self._values.values()

    def __len__(self) -> int:
        return len(self._values)


class Kept(Generic[K, R]):
    """The same of what was read, each known to be stale as soon as a row of it changes."""

    def __init__(self, size: int) -> None:
        self._recent: Recent[K, R] = Recent(size)
        self._by_row: defaultdict[Dependency, dict[int, R]] = defaultdict(dict)
        self.get = self._recent.get
        self.peek = self._recent.peek
        self.items = self._recent.items

    def put(self, key: K, value: R) -> None:
        """Keep a value."""
        self._forget(self._recent.put(key, value))
        for row in value.depends_on:
            self._by_row[row][id(value)] = value

    def drop(self, key: K) -> None:
        """Forget a value."""
        self._forget(self._recent.drop(key))

    def changed(self, row: Dependency) -> None:
        """Mark what depends on a row."""
        for value in self._by_row.get(row, {}).values():
            value.is_stale = True

    def changed_all(self) -> None:
        """Mark everything."""
        for value in self._recent.values():
            value.is_stale = True

    def rows(self) -> int:
        """Return how many rows are followed."""
        return len(self._by_row)

    def _forget(self, value: R | None) -> None:
        for row in value.depends_on if value is not None else ():
            dependants = self._by_row[row]
            del dependants[id(value)]
            if not dependants:
                del self._by_row[row]

    def __len__(self) -> int:
        return len(self._recent)


class History:
    """What changed last, so that an answer which was on its way meanwhile is known to be old."""

    KEPT = 10_000

    def __init__(self) -> None:
        self.now = 0
        self._everything_at = 0
        self._at: dict[Dependency, int] = {}

    def record(self, row: Dependency) -> None:
        """Count a change of a row."""
        if len(self._at) >= self.KEPT:
            self.record_everything()
        self.now += 1
        self._at[row] = self.now

    def record_everything(self) -> None:
        """Count a change of nobody knows what."""
        self.now += 1
        self._everything_at = self.now
        self._at.clear()

    def since(self, then: int, rows: Iterable[Dependency]) -> bool:
        """Return whether one of the rows has changed since `now` was `then`."""
        return self._everything_at > then or any(self._at.get(row, 0) > then for row in rows)

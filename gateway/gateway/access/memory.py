"""Bounded memory for what was read, and the changes that make it stale."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Hashable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Dependency = tuple[str, ...]
"""The kind of a row and its id, as a notification names them."""


class Read(Protocol):
    """Something that was read from rows.

    Attributes:
        depends_on: the rows whose change makes it stale, including those that do not exist yet.
        is_stale: whether one of these rows has changed since they were read.
    """

    depends_on: frozenset[Dependency]
    is_stale: bool


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
R = TypeVar("R", bound=Read)


class Recent(Generic[K, V]):
    """The most recently used values, at most `size` of them."""

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
        """Keep a value; return the value that it replaced or pushed out, if any."""
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
        """Yield all values, the least recently used first."""
        yield from self._values.values()

    def __len__(self) -> int:
        return len(self._values)


class Kept(Generic[K, R]):
    """The most recently used values that were read from rows.

    A value is marked stale as soon as one of its rows changes.
    """

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

    def invalidate(self, row: Dependency) -> None:
        """Mark every value that depends on a row as stale."""
        for value in self._by_row.get(row, {}).values():
            value.is_stale = True

    def invalidate_all(self) -> None:
        """Mark every value as stale."""
        for value in self._recent.values():
            value.is_stale = True

    def rows(self) -> int:
        """Return how many rows the values depend on."""
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
    """The latest changes: they show that a read which was under way at the time is out of date."""

    KEPT = 10_000

    def __init__(self) -> None:
        self.now = 0
        self._everything_at = 0
        self._at: dict[Dependency, int] = {}

    def record(self, row: Dependency) -> None:
        """Record that a row has changed."""
        if len(self._at) >= self.KEPT:
            self.record_everything()
        self.now += 1
        self._at[row] = self.now

    def record_everything(self) -> None:
        """Record that any row may have changed."""
        self.now += 1
        self._everything_at = self.now
        self._at.clear()

    def since(self, then: int, rows: Iterable[Dependency]) -> bool:
        """Return whether one of the rows has changed since `now` was `then`."""
        return self._everything_at > then or any(self._at.get(row, 0) > then for row in rows)

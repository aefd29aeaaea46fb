"""What is kept is bounded, and stale as soon as a row of it changes."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from gateway.access.memory import Dependency, History, Kept, Recent

ROWS = tuple(("row", str(number)) for number in range(6))
rows = st.frozensets(st.sampled_from(ROWS), max_size=3)


@dataclass
class Value:
    """Something that was read."""

    depends_on: frozenset[Dependency] = frozenset()
    is_stale: bool = False


def test_the_least_recently_used_goes_first() -> None:
    """The least recently used entry is dropped first, and a read counts as use."""
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    assert recent.put("c", 3) == 2
    assert [key for key, _ in recent.items()] == ["a", "c"]


@given(st.lists(st.tuples(st.integers(0, 5), rows), max_size=30), st.sampled_from(ROWS))
def test_a_change_marks_exactly_what_depends_on_the_row(
    puts: list[tuple[int, frozenset[Dependency]]], changed: Dependency
) -> None:
    """A change to a row makes exactly those entries stale that depend on the row."""
    kept: Kept[int, Value] = Kept(3)
    for key, depends_on in puts:
        kept.put(key, Value(depends_on))

    kept.invalidate(changed)

    for _key, value in kept.items():  # noqa: PERF102 -- it is not a dict
        assert value.is_stale == (changed in value.depends_on)
    assert len(kept) <= 3
    for key in range(6):
        kept.drop(key)
    assert (len(kept), kept.rows()) == (0, 0)


@given(st.lists(st.sampled_from((*ROWS, None)), max_size=30), st.integers(0, 30), rows)
def test_a_history_misses_no_change(
    events: list[Dependency | None], read_after: int, depends_on: frozenset[Dependency]
) -> None:
    """An answer is stale if one of its rows, or an unknown one, changed while it was read."""
    history = History()
    then = 0
    for number, event in enumerate(events):
        if number == read_after:
            then = history.now
        if event is None:
            history.record_everything()
        else:
            history.record(event)
    if read_after >= len(events):
        then = history.now
    later = events[read_after:]
    assert history.since(then, depends_on) == (
        None in later or not depends_on.isdisjoint(row for row in later if row)
    )


def test_a_history_is_bounded_and_then_too_careful() -> None:
    """After more changes than a history keeps, every row counts as changed."""
    history = History()
    then = history.now
    for number in range(History.KEPT + 1):
        history.record(("row", str(number)))
    assert history.since(then, [("row", "never")])
    assert not history.since(history.now, [("row", "never")])

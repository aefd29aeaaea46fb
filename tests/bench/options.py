"""What a person may ask of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """The command line, without the benchmark's name.

    Attributes:
        rounds: how often all is measured.
        seconds: of load in each turn.
        short: only what decides.
        long: also what takes hours.
        cells: only these, when any.
        alternatives: only these, when any.
        amount: a benchmark's own measure: rows, minutes.
    """

    rounds: int = 5
    seconds: float = 3.0
    short: bool = False
    long: bool = False
    cells: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    amount: float | None = None


def chosen(found: dict[str, T], names: Collection[str], what: str) -> dict[str, T]:
    """Return those of the names given, all when none is.

    Raises:
        SystemExit: when there is none of such a name.
    """
    unknown = set(names) - found.keys()
    if unknown:
        raise SystemExit(
            f"there is no {what} {', '.join(sorted(unknown))}; {what}s: {', '.join(found)}"
        )
    return {name: value for name, value in found.items() if not names or name in names}

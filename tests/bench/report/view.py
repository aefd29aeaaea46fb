"""What is shown of a benchmark's record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Column:
    """One value of the samples, as a column.

    Attributes:
        heading: with its unit.
        value: its name in the samples.
        digits: after the point.
    """

    heading: str
    value: str
    digits: int = 1


@dataclass(frozen=True)
class Ratio:
    """A column that holds each alternative against one of them, round by round.

    Attributes:
        value: what is compared.
        base: the alternative whose value is divided by the others', or the others by it.
        inverse: divide the others' by the base's, for what is better when it is less.
    """

    heading: str
    value: str
    base: str = "gateway"
    inverse: bool = False


@dataclass(frozen=True)
class View:
    """A benchmark's columns and its chart.

    Attributes:
        chart: the value drawn, and its words.
        kind: bars are side by side for each cell; lines join the cells, which are numbers.
    """

    title: str
    what: str
    columns: tuple[Column, ...]
    ratio: Ratio | None
    chart: Column
    kind: Literal["bars", "lines"] = "bars"
    logarithmic: bool = True

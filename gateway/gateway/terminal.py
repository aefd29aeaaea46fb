"""Tables for people, in a terminal or in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

PIPE_WIDTH = 160
"""Characters; docker compose exec -T and pipes have no width of their own."""


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Collection[str],
    footer: Sequence[str] | None = None,
) -> None:
    """Print rows of cells under their columns' names.

    Args:
        columns: the names.
        rows: each with a cell for each column.
        left: the columns that hold text; the others are numbers and end at the right.
        footer: the last line, if there is one.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    table = Table(show_footer=footer is not None, box=box.SIMPLE)
    for index, name in enumerate(columns):
        is_text = name in left
        table.add_column(
            name,
            footer[index] if footer is not None else "",
            justify="left" if is_text else "right",
            no_wrap=not is_text,
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # a name may hold what rich takes for markup
    console.print(table)

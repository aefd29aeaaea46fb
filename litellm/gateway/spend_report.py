"""`gateway spend`: the costs as a table for people or as JSON for programs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import psycopg

from gateway.database import DatabaseUnavailableError, connect
from gateway.database_url import database_url, redacted
from gateway.problems import ConfigurationError, Problem
from gateway.spend import SpendRow, dollars, read_spend, total

if TYPE_CHECKING:
    from gateway.settings import Settings

EMPTY = "no request was recorded in the last {days} days; a request's cost appears within a second"
PIPE_WIDTH = 140
"""Characters; docker compose exec -T and pipes have no width of their own."""

COLUMNS = ("day", "model", "key", "requests", "failed", "prompt", "completion", "USD")


def load_rows(settings: Settings, days: int) -> list[SpendRow]:
    """Returns the rows of the last days.

    Raises:
        ConfigurationError: no database is configured.
        DatabaseUnavailableError: it does not answer, or was not migrated.
    """
    url = database_url(settings)
    if url is None:
        raise ConfigurationError(
            [
                Problem(
                    "DATABASE_URL", "is unset, and without a database nothing is recorded", "set it"
                )
            ]
        )
    with connect(url, read_only=True) as connection:
        try:
            return read_spend(connection, days, _master_hashes(settings))
        except psycopg.errors.UndefinedTable:
            raise DatabaseUnavailableError(
                f"the database at {redacted(url)} has no table of LiteLLM's yet\n"
                "    run `gateway migrate`, which the stack does at every start"
            ) from None


def as_json(rows: list[SpendRow]) -> str:
    """Returns the rows and their total; a cost is a string, so that no digit is lost."""
    return json.dumps(
        {"rows": [_plain(row) for row in rows], "total": _plain(total(rows))}, indent=2
    )


def print_table(rows: list[SpendRow], days: int) -> None:
    """Prints the rows and their total to the terminal."""
    from rich import box  # noqa: PLC0415 -- not needed for --json
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    if not rows:
        console.print(EMPTY.format(days=days))
        return
    table = Table(show_footer=True, box=box.SIMPLE)
    summed = _cells(total(rows))
    for index, (title, footer) in enumerate(zip(COLUMNS, summed, strict=True)):
        is_text = index < len(("day", "model", "key"))
        table.add_column(title, footer, justify="left" if is_text else "right", no_wrap=is_text)
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)


def _cells(row: SpendRow) -> tuple[str, ...]:
    counts = (row.requests, row.failed, row.prompt_tokens, row.completion_tokens)
    return (row.day, row.model, row.key, *(f"{count:,}" for count in counts), dollars(row.cost))


def _plain(row: SpendRow) -> dict[str, Any]:
    return {**asdict(row), "cost": dollars(row.cost)}


def _master_hashes(settings: Settings) -> list[str]:
    """LiteLLM writes a name of its own for the master key, older versions its hash."""
    hashes = ["litellm_proxy_master_key"]
    if settings.litellm_master_key is not None:
        key = settings.litellm_master_key.get_secret_value()
        hashes.append(hashlib.sha256(key.encode()).hexdigest())
    return hashes

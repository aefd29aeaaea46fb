"""Every column that is read exists in the schema that LiteLLM ships."""

from __future__ import annotations

import re

import pytest

from gateway.access import statements
from gateway.access.columns import TABLES
from gateway.database import triggers
from gateway.database.ledger import shipped_folder

FIELD = re.compile(r"^\s*(?P<name>\w+)\s+(?P<type>\w+)(?P<rest>.*)$")


def shipped() -> dict[str, set[str]]:
    """Return the tables of schema.prisma with the columns that they have in the database."""
    text = (shipped_folder() / "schema.prisma").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for name, body in re.findall(r"^model (\w+) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        columns = found.setdefault(name, set())
        for line in body.splitlines():
            field = FIELD.match(line.partition("//")[0])
            if field is None or field["type"].startswith("LiteLLM_"):
                continue
            mapped = re.search(r'@map\("(\w+)"\)', field["rest"])
            columns.add(mapped[1] if mapped else field["name"])
    return found


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_column_read_is_in_litellms_schema(name: str) -> None:
    """Every table and column that the gateway reads exists in LiteLLM's schema."""
    table, columns = TABLES[name]
    assert set(columns) <= shipped()[table]


def test_the_statements_name_no_other_column() -> None:
    """The SQL statements name no column that is missing from the list of columns to read."""
    texts = (
        statements.callers(with_position=True),
        statements.end_users(with_position=True),
        statements.COMMON,
    )
    named = {pair for text in texts for pair in re.findall(r'(\w+)\."(\w+)"', text)}
    named -= {("same", "token"), ("position", "at")}
    unknown = {(name, column) for name, column in named if column not in TABLES[name][1]}
    assert not unknown


def test_the_triggers_names_are_in_litellms_schema_too() -> None:
    """Every table and column that the triggers name exists in LiteLLM's schema."""
    tables = shipped()
    for table, (_, columns) in triggers.TABLES.items():
        assert set(columns) <= tables[table]
    every = set().union(*tables.values())
    assert set(triggers.IGNORED) <= every


def test_no_ignored_column_is_read_but_spend() -> None:
    """Of the columns that the triggers ignore, the gateway reads none but `spend`."""
    read = {column for _, columns in TABLES.values() for column in columns}
    assert read & set(triggers.IGNORED) == {"spend"}


def test_every_table_read_has_triggers() -> None:
    """Every table that the gateway reads has triggers that announce its changes."""
    assert {table for table, _ in TABLES.values()} == set(triggers.TABLES)

"""The views over LiteLLM's spend table, from LiteLLM's own SQL.

It is read out of litellm/proxy/db/create_views.py by its syntax tree, because importing that module
imports the whole proxy. LiteLLM creates the same views at its start; here they exist before it
starts.
"""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.database.connection import Connection

_CREATE_VIEW = re.compile(r'^\s*CREATE (?:OR REPLACE )?VIEW "(?P<name>\w+)"')


def view_source() -> str:
    """Return the source of LiteLLM's module, without importing it."""
    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("litellm is not installed")
    folder = Path(spec.submodule_search_locations[0])
    return (folder / "proxy" / "db" / "create_views.py").read_text(encoding="utf-8")


def view_statements(source: str) -> dict[str, str]:
    """Return each view's name and CREATE statement, in the order of the source."""
    texts = (
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    matches = ((_CREATE_VIEW.match(text), text) for text in texts)
    return {match["name"]: text for match, text in matches if match}


def missing_views(connection: Connection) -> dict[str, str]:
    """Return name and CREATE statement of the views that are not there."""
    statements = view_statements(view_source())
    rows = connection.execute(
        "SELECT viewname FROM pg_views WHERE schemaname = current_schema() AND viewname = ANY(%s)",
        [list(statements)],
    )
    present = {row[0] for row in rows}
    return {name: text for name, text in statements.items() if name not in present}


def create_missing_views(connection: Connection) -> list[str]:
    """Create the views that are not there; return their names."""
    missing = missing_views(connection)
    for statement in missing.values():
        connection.execute(statement.encode())
    return list(missing)

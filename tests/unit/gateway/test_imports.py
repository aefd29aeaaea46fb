"""LiteLLM is imported where it runs, and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import gateway

PACKAGE = Path(gateway.__file__).parent

MAY = {"worker/calls.py", "worker/streams.py", "proxy/callback.py", "proxy/launcher.py"}
"""The worker's process, and what runs inside LiteLLM's proxy."""


def _imports_litellm(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        if any(name.partition(".")[0] == "litellm" for name in names):
            return True
    return False


def test_nothing_but_the_worker_and_the_callback_imports_litellm() -> None:
    """Its import takes seconds, and its names move with every release."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if _imports_litellm(path)
    }
    assert found == MAY


def test_no_private_name_of_litellm_is_used_where_it_may_be_imported() -> None:
    """Only what it documents stays from one release to the next."""
    for name in MAY:
        path = PACKAGE / name
        if not path.exists():
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("litellm"):
                used = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                assert not any(part.startswith("_") for part in used), (name, used)

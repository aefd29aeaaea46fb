"""What a record says of the checkout that was measured."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.measure.machine import commit

IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@example.org")


def test_a_changed_record_is_no_change_of_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit is marked with + if another file differs from it, but not if only a record does."""
    record, code = tmp_path / "docs/performance/guard.json", tmp_path / "code.py"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    code.write_text("")
    for command in (["init", "-q"], ["add", "."], [*IDENTITY, "commit", "-qm", "Begin"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)

    record.write_text('{"recorded": true}')
    assert not commit().endswith("+")

    code.write_text("changed = True")
    assert commit().endswith("+")

"""Variables and the files that may hold their values."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.environment import Environment
from gateway.config.problems import ConfigurationError

AWKWARD = "p@ss w:rd/%é'\"$` "


def test_value_comes_from_the_file_that_var_file_names(tmp_path: Path) -> None:
    """A file's value is taken whole, without its one trailing newline."""
    (tmp_path / "key").write_text(f"{AWKWARD}\n", encoding="utf-8")
    environment = Environment({"KEY_FILE": str(tmp_path / "key")})
    assert environment.get("KEY") == AWKWARD
    assert environment.source("KEY") == "KEY_FILE"


def test_empty_means_unset() -> None:
    """An empty variable and an empty file are the same as none."""
    environment = Environment({"A": "", "B_FILE": "", "C_FILE": "/dev/null"})
    assert [environment.get(name) for name in "ABC"] == [None, None, None]
    assert environment.source("C") is None


def test_variable_and_file_may_agree(tmp_path: Path) -> None:
    """Both may be set as long as they say the same."""
    (tmp_path / "key").write_text("same\n", encoding="utf-8")
    assert Environment({"KEY": "same", "KEY_FILE": str(tmp_path / "key")}).get("KEY") == "same"


def test_contradiction_names_both_variables_and_no_value(tmp_path: Path) -> None:
    """Two different values are an error that shows neither."""
    (tmp_path / "key").write_text("from-the-file", encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        Environment({"KEY": "direct", "KEY_FILE": str(tmp_path / "key")}).get("KEY")
    assert "KEY, KEY_FILE" in str(raised.value)
    assert "direct" not in str(raised.value)
    assert "from-the-file" not in str(raised.value)


def test_unreadable_file_is_named() -> None:
    """A file that is not there is named together with its variable."""
    with pytest.raises(ConfigurationError, match=r"KEY_FILE: cannot read /nowhere/key"):
        Environment({"KEY_FILE": "/nowhere/key"}).get("KEY")

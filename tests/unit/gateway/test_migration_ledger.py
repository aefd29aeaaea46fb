"""What a database's history says about the migrations shipped."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gateway.database.ledger import Migration, Row, compare, shipped_folder, shipped_migrations

SHIPPED = [Migration("1_first", "aa"), Migration("2_second", "bb")]


def row(name: str, checksum: str, *, finished: bool = True, rolled_back: bool = False) -> Row:
    """Return a row of the history."""
    return Row(name, checksum, finished, rolled_back)


def test_complete_history_is_current() -> None:
    """All shipped migrations finished: nothing to do."""
    ledger = compare(SHIPPED, [row("1_first", "aa"), row("2_second", "bb")])
    assert ledger.is_current
    assert ledger.applied == 2


def test_empty_history_lacks_everything() -> None:
    """Without rows every migration is pending, in order."""
    ledger = compare(SHIPPED, [])
    assert ledger.pending == ("1_first", "2_second")
    assert not ledger.is_current


def test_unfinished_migration_is_failed() -> None:
    """A row without an end is a failure, and the database is not current."""
    ledger = compare(SHIPPED, [row("1_first", "aa"), row("2_second", "bb", finished=False)])
    assert [failed.name for failed in ledger.failed] == ["2_second"]
    assert not ledger.is_current


def test_rolled_back_try_does_not_count() -> None:
    """A failed try that was rolled back and then repeated is history."""
    rows = [
        row("1_first", "aa"),
        row("2_second", "bb", finished=False, rolled_back=True),
        row("2_second", "bb"),
    ]
    assert compare(SHIPPED, rows).is_current
    undone = compare(SHIPPED, rows[:2])
    assert (undone.pending, undone.failed) == (("2_second",), ())


def test_failure_of_a_newer_litellm_is_not_overlooked() -> None:
    """A migration that is not shipped here and did not finish leaves the database not current."""
    rows = [row("1_first", "aa"), row("2_second", "bb"), row("3_new", "cc", finished=False)]
    assert not compare(SHIPPED, rows).is_current


def test_other_content_and_newer_migrations_are_told_apart() -> None:
    """A changed checksum and a later name are noticed, and neither makes work."""
    ledger = compare(SHIPPED, [row("1_first", "zz"), row("2_second", "bb"), row("3_new", "cc")])
    assert ledger.edited == ("1_first",)
    assert ledger.newer == ("3_new",)
    assert ledger.is_current


def test_a_withdrawn_migration_is_not_taken_for_a_newer_one() -> None:
    """LiteLLM ships two migrations of November 2025 no more; having them is not a newer LiteLLM."""
    rows = [row("1_first", "aa"), row("1_withdrawn", "cc"), row("2_second", "bb")]
    assert compare(SHIPPED, rows).newer == ()


def test_checksum_is_the_sha256_of_the_script(tmp_path: Path) -> None:
    """Folders are read in order, also those with spaces; other files are no migrations."""
    for name in ("2_with space", "1_first"):
        (tmp_path / "migrations" / name).mkdir(parents=True)
        (tmp_path / "migrations" / name / "migration.sql").write_text(name, encoding="utf-8")
    (tmp_path / "migrations" / "migration_lock.toml").write_text("", encoding="utf-8")
    found = shipped_migrations(tmp_path)
    assert [migration.name for migration in found] == ["1_first", "2_with space"]
    assert found[0].checksum == hashlib.sha256(b"1_first").hexdigest()


def test_installed_litellm_ships_what_this_version_is_known_to() -> None:
    """The migrations of the pinned litellm-proxy-extras are all found."""
    assert len(shipped_migrations(shipped_folder())) == 220

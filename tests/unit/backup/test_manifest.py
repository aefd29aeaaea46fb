"""What a backup says about itself."""

from __future__ import annotations

import pytest

from gateway.backup import manifest
from gateway.backup.manifest import Manifest, Table
from gateway.backup.problem import BackupError, DamagedBackupError

OWN = "0.2.0"


@pytest.fixture(autouse=True)
def _versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "__version__", OWN)


def made(**changed: object) -> Manifest:
    """Return a manifest of this version, with some fields changed."""
    own = manifest.new_manifest(
        postgres_version="17.12",
        database_schema=None,
        migrations=("1_first", "2_second"),
        tables={"public.a": Table(rows=2, checksum="-7"), "public.b": Table(rows=1, checksum="0")},
    )
    return own.model_copy(update=changed)


def test_it_comes_back_from_json() -> None:
    """What is written is what is read, and one line says the most of it."""
    own = made()

    assert manifest.parse(own.model_dump_json().encode()) == own
    assert "stack 0.2.0" in own.summary()
    assert "schema 2_second: 3 rows in 2 tables" in own.summary()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"format": "x"}'])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    """Anything else is a damaged backup, not a traceback."""
    with pytest.raises(DamagedBackupError):
        manifest.parse(content)


@pytest.mark.parametrize("version", ["0.1.0", "0.1.9", "0.2.0"])
def test_an_older_or_equal_version_is_taken(version: str) -> None:
    """A backup of this version or of one before it, with migrations that are known."""
    manifest.refuse_newer(made(stack_version=version), {"1_first", "2_second", "3_third"})


@pytest.mark.parametrize("version", ["0.2.1", "0.10.0", "1.0"])
def test_a_newer_version_is_refused(version: str) -> None:
    """The line names both versions; 0.10 is newer than 0.2."""
    with pytest.raises(BackupError, match=f"newer version: stack {version}.*this is stack 0.2.0"):
        manifest.refuse_newer(made(stack_version=version), {"1_first", "2_second"})


def test_a_newer_schema_is_refused() -> None:
    """A migration that this version does not have was made by a newer LiteLLM."""
    with pytest.raises(BackupError, match="its schema has 2_second, which this one lacks"):
        manifest.refuse_newer(made(), {"1_first"})


def test_a_withdrawn_migration_is_no_sign_of_a_newer_version() -> None:
    """A database that is older than one of its own migrations' withdrawal can be restored."""
    manifest.refuse_newer(made(), {"1_first", "3_third"})


def test_a_newer_format_is_refused() -> None:
    """A file format of later is not guessed at."""
    with pytest.raises(BackupError, match="newer version"):
        manifest.refuse_newer(made(format=manifest.FORMAT + 1), {"1_first", "2_second"})

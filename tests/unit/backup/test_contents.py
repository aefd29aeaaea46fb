"""What goes into a backup besides the database, and how it is restored."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from gateway.backup import archive, secrets_kept, verify
from gateway.backup.journal_files import StagedJournal, read_files
from gateway.backup.manifest import new_manifest
from gateway.backup.problem import BackupError, DamagedBackupError
from gateway.secret_store import ensure_secrets

RECORDS = b'00000000 {"a": 1}\n'


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return a journal of one gateway, as it lies on the disk."""
    folder = tmp_path / "journal" / "1"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    (folder / "position.new.17").write_text('{"num')
    (folder / "position").write_text('{"number": 3, "offset": 0}')
    (folder / "000000000003.journal").write_bytes(RECORDS + bytes(4096))
    (folder / "000000000004.journal").write_bytes(bytes(4096))
    (folder / "refused.jsonl").write_bytes(b"{}\n")
    return folder.parent


def files(root: Path) -> dict[str, bytes]:
    """Return path and content of every file but locks."""
    found = (path for path in root.rglob("*") if path.is_file() and path.name != "lock")
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def test_the_journal_is_read_without_what_holds_no_record(journal: Path) -> None:
    """Position first, records without the zeros behind them; no lock, empty or unfinished file."""
    assert list(read_files(journal)) == [
        ("1/position", b'{"number": 3, "offset": 0}'),
        ("1/000000000003.journal", RECORDS),
        ("1/refused.jsonl", b"{}\n"),
    ]


def test_no_journal_is_no_files(tmp_path: Path) -> None:
    """A stack without a journal has a backup without one."""
    assert not list(read_files(tmp_path / "missing"))


def test_a_restored_journal_is_added_to_what_is_there(journal: Path, tmp_path: Path) -> None:
    """Records that wait already stay; the backup's come into a folder of their own."""
    target = tmp_path / "target"
    (target / "1").mkdir(parents=True)
    (target / "1" / "own").write_text("x")
    staged = StagedJournal(target)
    for name, content in read_files(journal):
        staged.add(name, content)
    assert files(target).keys() - {"1/own"} == {
        f"restored/{name}" for name, _ in read_files(journal)
    }
    staged.install(replace=False)

    assert files(target).keys() == {
        "1/own", "2/position", "2/000000000003.journal", "2/refused.jsonl",
    }  # fmt: skip
    assert files(target)["2/000000000003.journal"] == RECORDS


def test_a_replaced_journal_is_gone(journal: Path) -> None:
    """With replace, no record of the old database comes into the new one."""
    staged = StagedJournal(journal)
    staged.add("4/position", b"{}")
    staged.install(replace=True)

    assert files(journal) == {"1/position": b"{}"}


def test_a_discarded_journal_leaves_nothing(journal: Path) -> None:
    """A restore that failed leaves the journal as it was."""
    before = files(journal)
    staged = StagedJournal(journal)
    staged.add("1/position", b"{}")
    staged.discard()

    assert files(journal) == before
    assert not (journal / "restored").exists()


def test_secrets_come_back_for_every_reader(tmp_path: Path) -> None:
    """Salt, master and backend's key move; the passwords of the new database stay its own."""
    old, new = tmp_path / "old", tmp_path / "new"
    for base in (old, new):
        ensure_secrets({"SECRETS_DIR": str(base)})
    before = files(new)
    values = secrets_kept.parse(secrets_kept.read(old))
    secrets_kept.write(new, values)

    moved = {
        *("gateway/litellm_salt_key", "gateway/litellm_master_key"),
        *("gateway/backend_virtual_key", "backend/backend_virtual_key"),
    }
    assert {name: files(new)[name] for name in moved} == {name: files(old)[name] for name in moved}
    assert {name for name in before if files(new)[name] == before[name]} == before.keys() - moved
    assert values.keys() == set(secrets_kept.KEPT)


def test_missing_secrets_stop_a_backup(tmp_path: Path) -> None:
    """A backup without the salt key would be worth nothing, so there is none."""
    with pytest.raises(BackupError, match="there is no litellm_salt_key"):
        secrets_kept.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"litellm_salt_key": "x"}'])
def test_what_are_no_secrets_is_refused(content: bytes) -> None:
    """Anything else is a damaged backup."""
    with pytest.raises(DamagedBackupError):
        secrets_kept.parse(content)


def backup(*members: tuple[str, bytes]) -> io.BytesIO:
    """Return a backup with these members."""
    target = io.BytesIO()
    writer = archive.ArchiveWriter(target)
    for name, content in members:
        writer.add(name, content)
    writer.close()
    return io.BytesIO(target.getvalue())


SECRETS = ("secrets.json", json.dumps(dict.fromkeys(secrets_kept.KEPT, "x")).encode())
PART = ("database/000000", b"PGDMP")


def test_a_dump_without_a_manifest_is_refused() -> None:
    """Nothing is loaded before it is known what it is."""
    with pytest.raises(DamagedBackupError, match=r"manifest\.json is missing"):
        verify.read(backup(SECRETS, PART), None, set(), verify.NullReceiver())


def test_verifying_hands_over_what_is_in_it() -> None:
    """The manifest of a right backup is returned."""
    own = new_manifest(postgres_version="17", database_schema=None, migrations=("1",), tables={})
    source = backup(SECRETS, ("manifest.json", own.model_dump_json().encode()), PART)

    assert verify.read(source, None, {"1"}, verify.NullReceiver()) == own

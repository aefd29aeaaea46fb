"""Brings a backup back: in one database transaction, and nothing before its last byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.backup import secrets_kept, tables, verify
from gateway.backup.journal_files import StagedJournal
from gateway.backup.postgres_client import Loader
from gateway.backup.problem import BackupError, DamagedBackupError
from gateway.database.url import schema_of
from gateway.replicas.tables import FORGET_ALL

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from gateway.backup.manifest import Manifest
    from gateway.backup.sealing import Readable
    from gateway.database.connection import Connection


def refuse_occupied(connection: Connection, url: str) -> None:
    """Refuse a database that has tables.

    Raises:
        BackupError: says how many, and what to do.
    """
    found = tables.names(connection, schema_of(url))
    if found:
        raise BackupError(
            f"the database is not empty: {len(found)} tables, {found[0][1]} among them\n"
            "    nothing was changed; restore into a new stack (another COMPOSE_PROJECT_NAME), or "
            "replace this one's data: ./run restore FILE --replace"
        )


def restore(  # noqa: PLR0913 -- each a part of the stack
    source: Readable,
    passphrase: str | None,
    shipped: Collection[str],
    *,
    url: str,
    connection: Connection,
    secrets: Path,
    journal: Path,
    replace: bool,
) -> Manifest:
    """Bring a backup back.

    Args:
        source: the backup.
        passphrase: that it was sealed with; None for one in the clear.
        shipped: the migrations that this version knows.
        url: of the database; no gateway may use it meanwhile.
        connection: to it, to compare the rows.
        secrets: the folder of the secrets' volumes.
        journal: the spend journal's folder.
        replace: drop what is in the database and in the journal.

    Returns:
        The backup's manifest.

    Raises:
        BackupError: the database is not empty, or refused the backup, or the backup cannot be read;
            then nothing was changed.
    """
    if not replace:
        refuse_occupied(connection, url)
    staged = StagedJournal(journal)
    receiver = _Receiver(url, staged, replace=replace)
    try:
        manifest = verify.read(source, passphrase, shipped, receiver)
        receiver.loaded().commit()
    except BaseException:
        staged.discard()
        raise
    finally:
        receiver.close()
    staged.install(replace=replace)
    secrets_kept.write(secrets, receiver.values)
    _compare(connection, manifest)
    connection.execute(FORGET_ALL.encode())
    return manifest


class _Receiver:
    """Hands the parts to the database as they come, and keeps secrets and journal back."""

    def __init__(self, url: str, journal: StagedJournal, *, replace: bool) -> None:
        self.values: dict[str, str] = {}
        self._url = url
        self._journal = journal
        self._replace = replace
        self._loader: Loader | None = None

    def secrets(self, values: dict[str, str]) -> None:
        self.values = values

    def journal(self, name: str, content: bytes) -> None:
        self._journal.add(name, content)

    def manifest(self, found: Manifest) -> None:
        schema = schema_of(self._url)
        if found.database_schema != schema:
            raise BackupError(
                f"the backup has {_scope(found.database_schema)}, DATABASE_URL names "
                f"{_scope(schema)}\n    nothing was changed; let both name the same schema"
            )
        self._loader = Loader(self._url, schema=schema, replace=self._replace)

    def part(self, content: bytes) -> None:
        self.loaded().feed(content)

    def loaded(self) -> Loader:
        if self._loader is None or not self.values:
            raise DamagedBackupError("its manifest.json or secrets.json is missing")
        return self._loader

    def close(self) -> None:
        if self._loader is not None:
            self._loader.close()


def _scope(schema: str | None) -> str:
    return "a whole database" if schema is None else f"schema {schema}"


def _compare(connection: Connection, manifest: Manifest) -> None:
    found = tables.contents(connection, manifest.database_schema)
    wrong = [name for name, table in manifest.tables.items() if found.get(name) != table]
    if wrong:
        raise BackupError(
            f"after the restore, {wrong[0]} has different rows than in the backup\n"
            "    keep the backup and report this; was something else using the database?"
        )

"""Writes a backup of a stack that goes on serving meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.backup import archive, journal_files, postgres_client, secrets_kept, tables
from gateway.backup.manifest import new_manifest
from gateway.backup.sealing import SealedWriter
from gateway.database.url import schema_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from gateway.backup.manifest import Manifest
    from gateway.database.connection import Connection


def create(  # noqa: PLR0913 -- each a part of the stack
    target: BinaryIO,
    passphrase: str | None,
    *,
    url: str,
    connection: Connection,
    secrets: Path,
    journal: Path,
) -> Manifest:
    """Write a backup to `target`; it is whole only when this came back.

    Args:
        target: a file or pipe.
        passphrase: seals the backup; None leaves it in the clear.
        url: of the database.
        connection: to it, for the snapshot.
        secrets: the folder of the secrets' volumes.
        journal: the spend journal's folder; it need not exist.

    Returns:
        What is in it.

    Raises:
        BackupError: something cannot be read, or pg_dump failed.
    """
    sealed = None if passphrase is None else SealedWriter(target, passphrase)
    writer = archive.ArchiveWriter(sealed or target)
    writer.add(archive.SECRETS, secrets_kept.read(secrets))
    for name, content in journal_files.read_files(journal):
        writer.add(f"{archive.JOURNAL}{name}", content)
    manifest = _add_database(writer, url, connection)
    writer.close()
    if sealed is not None:
        sealed.close()
    target.flush()
    return manifest


def _add_database(writer: archive.ArchiveWriter, url: str, connection: Connection) -> Manifest:
    """Write manifest and dump of one snapshot, so that they agree while rows come in."""
    schema = schema_of(url)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        row = connection.execute(
            "SELECT pg_export_snapshot(), current_setting('server_version')"
        ).fetchone()
        assert row is not None  # noqa: S101 -- a SELECT without FROM has a row
        manifest = new_manifest(
            postgres_version=row[1],
            database_schema=schema,
            migrations=tables.finished_migrations(connection),
            tables=tables.contents(connection, schema),
        )
        writer.add(archive.MANIFEST, manifest.model_dump_json(indent=2).encode())
        for part in postgres_client.dump(url, row[0], schema, archive.PART_BYTES):
            writer.add_part(part)
    return manifest

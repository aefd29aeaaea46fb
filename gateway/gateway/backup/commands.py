"""`gateway backup …`: archives by standard output and input, everything said by standard error."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.database.connection import Connection

app = typer.Typer(
    name="backup",
    help="One file with the database, the secrets that decrypt it and the spend journal.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
LOG = logging.getLogger(__name__)
PASSPHRASE_VARIABLE = "BACKUP_PASSPHRASE"  # noqa: S105 -- its name


@app.command()
def create() -> None:
    """Write a backup to standard output."""
    from gateway.backup.create import create as write_backup

    if sys.stdout.isatty():
        raise typer.BadParameter("a backup is binary; redirect standard output to a file")
    passphrase = _passphrase()
    with _stack() as stack:
        manifest = write_backup(
            sys.stdout.buffer,
            passphrase,
            url=stack.url,
            connection=stack.connection,
            secrets=stack.secrets,
            journal=stack.journal,
        )
        LOG.info("%s", manifest.summary())
        if passphrase is None:
            LOG.info(
                "not encrypted: the file holds the salt key, the master key and all rows in plain "
                "text; set BACKUP_PASSPHRASE or BACKUP_PASSPHRASE_FILE to encrypt it"
            )


@app.command()
def verify() -> None:
    """Read a backup from standard input to its end; say what is in it, or what is wrong."""
    from gateway.backup.verify import NullReceiver, read
    from gateway.log import set_up_logging

    # no other setting: before the first start there are no secrets to read
    set_up_logging(as_json=(os.environ.get("JSON_LOGS") or "").lower() == "true")
    manifest = read(sys.stdin.buffer, _passphrase(), _shipped(), NullReceiver())
    LOG.info("%s", manifest.summary())


@app.command()
def vacant() -> None:
    """Say whether the database is empty, so that a backup can be restored; exit code 0 or 1."""
    from gateway.backup.restore import refuse_occupied

    with _stack() as stack:
        refuse_occupied(stack.connection, stack.url)


@app.command()
def restore(
    *,
    replace: Annotated[bool, typer.Option(help="Drop what the database holds now.")] = False,
) -> None:
    """Bring a backup back from standard input; no gateway may run meanwhile."""
    from gateway.backup.problem import BackupError
    from gateway.backup.restore import restore as read_backup

    with _stack() as stack:
        if replace and stack.is_external:
            raise BackupError(
                "DATABASE_URL names your own database, which this command does not empty\n"
                "    empty it yourself, then restore without --replace"
            )
        manifest = read_backup(
            sys.stdin.buffer,
            _passphrase(),
            _shipped(),
            url=stack.url,
            connection=stack.connection,
            secrets=stack.secrets,
            journal=stack.journal,
            replace=replace,
        )
        LOG.info("restored the %s", manifest.summary())


@dataclass(frozen=True)
class _Stack:
    """What a backup is made of.

    Attributes:
        url: of the database.
        connection: to it.
        secrets: the folder of the secrets' volumes.
        journal: the spend journal's folder.
        is_external: whether the database is the user's own.
    """

    url: str
    connection: Connection
    secrets: Path
    journal: Path
    is_external: bool


@contextmanager
def _stack() -> Iterator[_Stack]:
    from gateway.backup.secrets_kept import folder
    from gateway.config.problems import ConfigurationError, Problem
    from gateway.config.settings import load_settings
    from gateway.database.connection import wait_for_database
    from gateway.database.url import database_url
    from gateway.log import set_up_logging

    settings = load_settings()
    url = database_url(settings)
    if url is None:
        raise ConfigurationError(
            [Problem("DATABASE_URL", "is unset, and so is DB_HOST", "set one of them")]
        )
    set_up_logging(as_json=settings.json_logs)
    with wait_for_database(url, settings.db_wait) as connection:
        yield _Stack(
            url=url,
            connection=connection,
            secrets=folder(os.environ),
            journal=settings.journal_root,
            is_external=settings.database_url is not None,
        )


def _passphrase() -> str | None:
    from gateway.config.environment import Environment

    return Environment(os.environ).get(PASSPHRASE_VARIABLE)


def _shipped() -> set[str]:
    from gateway.database.ledger import shipped_folder, shipped_migrations

    return {migration.name for migration in shipped_migrations(shipped_folder())}

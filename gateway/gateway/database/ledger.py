"""The migrations that LiteLLM ships, and those that a database records as applied.

Prisma keeps its history in `_prisma_migrations`; a checksum is the sha256 of migration.sql.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.database.connection import Connection


@dataclass(frozen=True)
class Migration:
    """A migration that LiteLLM ships."""

    name: str
    checksum: str


@dataclass(frozen=True)
class Row:
    """One row of `_prisma_migrations`."""

    name: str
    checksum: str
    finished: bool
    rolled_back: bool
    log: str = ""


@dataclass(frozen=True)
class Ledger:
    """A database's history, compared with the shipped migrations.

    Attributes:
        applied: how many of the shipped migrations are finished.
        pending: names of migrations still to be applied, in order.
        failed: rows of migrations that began and did not finish.
        edited: names of migrations that were applied with other content than is shipped.
        newer: names of applied migrations that come after all shipped ones, because a newer LiteLLM
            used the database.
    """

    applied: int
    pending: tuple[str, ...]
    failed: tuple[Row, ...]
    edited: tuple[str, ...]
    newer: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """Whether all shipped migrations are applied and none has failed."""
        return not self.pending and not self.failed


def shipped_folder() -> Path:
    """Return the installed folder of litellm-proxy-extras, without importing it."""
    spec = find_spec("litellm_proxy_extras")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("litellm-proxy-extras is not installed")
    return Path(spec.submodule_search_locations[0])


def shipped_migrations(folder: Path) -> list[Migration]:
    """Return the migrations under `folder`, in the order in which Prisma applies them."""
    return [
        Migration(path.parent.name, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.glob("migrations/*/migration.sql"))
    ]


def read_rows(connection: Connection) -> list[Row] | None:
    """Return the database's history; None if it has no table for it."""
    exists = connection.execute("SELECT to_regclass('_prisma_migrations')").fetchone()
    if exists is None or exists[0] is None:
        return None
    rows = connection.execute(
        "SELECT migration_name, checksum, finished_at IS NOT NULL, rolled_back_at IS NOT NULL,"
        " coalesce(logs, '') FROM _prisma_migrations ORDER BY started_at"
    )
    return [Row(*row) for row in rows]


def newer_than(shipped: Iterable[str], applied: Iterable[str]) -> tuple[str, ...]:
    """Return the names of applied migrations that come after all shipped ones, by their dates.

    Each name begins with a date. An older migration that is not shipped was withdrawn by LiteLLM,
    as two of November 2025 were.
    """
    last = max(shipped, default="")
    return tuple(name for name in applied if name > last)


def compare(shipped: Sequence[Migration], rows: Iterable[Row]) -> Ledger:
    """Compare a database's history with the shipped migrations.

    A migration may have several rows. It counts as applied if one of them is finished and not
    rolled back.
    """
    history = [row for row in rows if not row.rolled_back]
    finished = {row.name: row.checksum for row in history if row.finished}
    checksums = {migration.name: migration.checksum for migration in shipped}
    return Ledger(
        applied=sum(name in finished for name in checksums),
        pending=tuple(name for name in checksums if name not in finished),
        failed=tuple(row for row in history if not row.finished and row.name not in finished),
        edited=tuple(
            name for name in checksums if finished.get(name, "") not in ("", checksums[name])
        ),
        newer=newer_than(checksums, finished),
    )

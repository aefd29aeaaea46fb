"""What LiteLLM ships as migrations, and what a database says about having them.

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
    """A migration as LiteLLM ships it."""

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
    """A database's history, seen from the migrations shipped.

    Attributes:
        applied: how many of the shipped ones are finished.
        pending: names still to be applied, in order.
        failed: rows of migrations that began and did not finish.
        edited: names applied with another content than the one shipped.
        newer: names applied that come after everything shipped: a newer LiteLLM was here.
    """

    applied: int
    pending: tuple[str, ...]
    failed: tuple[Row, ...]
    edited: tuple[str, ...]
    newer: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """Whether nothing is left to do."""
        return not self.pending and not self.failed


def shipped_folder() -> Path:
    """Returns the installed folder of litellm-proxy-extras, without importing it."""
    spec = find_spec("litellm_proxy_extras")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("litellm-proxy-extras is not installed")
    return Path(spec.submodule_search_locations[0])


def shipped_migrations(folder: Path) -> list[Migration]:
    """Returns the migrations under `folder`, in the order in which Prisma applies them."""
    return [
        Migration(path.parent.name, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.glob("migrations/*/migration.sql"))
    ]


def read_rows(connection: Connection) -> list[Row] | None:
    """Returns the database's history, or None when it has no such table."""
    exists = connection.execute("SELECT to_regclass('_prisma_migrations')").fetchone()
    if exists is None or exists[0] is None:
        return None
    rows = connection.execute(
        "SELECT migration_name, checksum, finished_at IS NOT NULL, rolled_back_at IS NOT NULL,"
        " coalesce(logs, '') FROM _prisma_migrations ORDER BY started_at"
    )
    return [Row(*row) for row in rows]


def newer_than(shipped: Iterable[str], applied: Iterable[str]) -> tuple[str, ...]:
    """Returns the names applied that come after everything shipped, as names begin with a date.

    An older one that is not shipped was withdrawn by LiteLLM, as two of November 2025 were.
    """
    last = max(shipped, default="")
    return tuple(name for name in applied if name > last)


def compare(shipped: Sequence[Migration], rows: Iterable[Row]) -> Ledger:
    """Returns how a history relates to what is shipped.

    A migration may have several rows; one that is finished and not rolled back counts.
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

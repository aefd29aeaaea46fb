"""What a backup says about itself, and whether this version can take it."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway import __version__
from gateway.backup.problem import BackupError, DamagedBackupError
from gateway.database.ledger import newer_than

if TYPE_CHECKING:
    from collections.abc import Collection

FORMAT = 1


class Table(BaseModel):
    """A table's content in two numbers.

    Attributes:
        rows: how many.
        checksum: the sum over all rows of half of each one's MD5; the order does not count.
    """

    model_config = ConfigDict(frozen=True)

    rows: int
    checksum: str


class Manifest(BaseModel):
    """A backup's manifest.json.

    Attributes:
        format: of the file; a newer one is refused.
        created: when, in UTC.
        stack_version: of the gateway that wrote it.
        litellm_version: of the LiteLLM in it.
        postgres_version: of the server.
        database_schema: the one schema that is in it; None means the whole database.
        migrations: the finished ones, in order; the last is the schema's version.
        tables: by "schema.name".
    """

    model_config = ConfigDict(frozen=True)

    format: int
    created: datetime
    stack_version: str
    litellm_version: str
    postgres_version: str
    database_schema: str | None
    migrations: tuple[str, ...]
    tables: dict[str, Table]

    @property
    def rows(self) -> int:
        """How many rows all tables have together."""
        return sum(table.rows for table in self.tables.values())

    def summary(self) -> str:
        """Return what is in the backup, in one line."""
        schema = self.migrations[-1] if self.migrations else "no migration"
        return (
            f"backup of {self.created:%Y-%m-%d %H:%M:%S} UTC, stack {self.stack_version}, "
            f"LiteLLM {self.litellm_version}, schema {schema}: "
            f"{self.rows} rows in {len(self.tables)} tables"
        )


def new_manifest(
    *,
    postgres_version: str,
    database_schema: str | None,
    migrations: tuple[str, ...],
    tables: dict[str, Table],
) -> Manifest:
    """Return the manifest of a backup that this version makes now."""
    return Manifest(
        format=FORMAT,
        created=datetime.now(timezone.utc).replace(microsecond=0),
        stack_version=__version__,
        litellm_version=version("litellm"),
        postgres_version=postgres_version,
        database_schema=database_schema,
        migrations=migrations,
        tables=tables,
    )


def parse(content: bytes) -> Manifest:
    """Return the manifest in these bytes.

    Raises:
        DamagedBackupError: they are none.
    """
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise DamagedBackupError(
            f"its manifest.json says {error.errors()[0]['msg'].lower()}"
        ) from None


def refuse_newer(manifest: Manifest, shipped: Collection[str]) -> None:
    """Refuse a backup that a newer version made.

    Args:
        manifest: the backup's.
        shipped: the migrations that this version knows.

    Raises:
        BackupError: says which version the backup wants.
    """
    own = __version__
    unknown = newer_than(shipped, manifest.migrations)
    is_newer = _order(manifest.stack_version) > _order(own) or manifest.format > FORMAT
    if is_newer or unknown:
        what = f", and its schema has {unknown[-1]}, which this one lacks" if unknown else ""
        raise BackupError(
            f"the backup is of a newer version: stack {manifest.stack_version} with LiteLLM "
            f"{manifest.litellm_version}; this is stack {own}{what}\n"
            f"    nothing was changed; restore it with a checkout of {manifest.stack_version} "
            "or newer"
        )


def _order(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))

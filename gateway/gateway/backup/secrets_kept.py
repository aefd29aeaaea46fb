"""Which of the stack's secrets a backup carries: those that its database is of no use without.

The passwords of the database itself stay: each stack has its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.backup.problem import BackupError, DamagedBackupError
from gateway.secret_store import DEFAULT_DIRECTORY, DIRECTORY_VARIABLE, SECRETS, store, stored

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = ("litellm_salt_key", "litellm_master_key", "backend_virtual_key")
_BY_NAME = {secret.name: secret for secret in SECRETS}


def folder(variables: Mapping[str, str]) -> Path:
    """Return where the secrets' volumes are mounted."""
    return Path(variables.get(DIRECTORY_VARIABLE) or DEFAULT_DIRECTORY)


def read(base: Path) -> bytes:
    """Return the secrets as JSON.

    Raises:
        BackupError: one is missing.
    """
    values = {name: stored(base, _BY_NAME[name]) for name in KEPT}
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise BackupError(f"there is no {missing[0]} in {base}\n    start the stack once: ./run up")
    return json.dumps(values).encode()


def parse(content: bytes) -> dict[str, str]:
    """Return name and value of each secret in a backup.

    Raises:
        DamagedBackupError: the bytes are none.
    """
    try:
        values = json.loads(content)
        return {name: str(values[name]) for name in KEPT}
    except (ValueError, KeyError, TypeError):
        raise DamagedBackupError("this stack did not write its secrets.json") from None


def write(base: Path, values: Mapping[str, str]) -> None:
    """Put the secrets in force, each in the volumes of its readers."""
    for name, value in values.items():
        store(base, _BY_NAME[name], value)

"""What is said when a backup cannot be made, read or brought back."""

from __future__ import annotations


class BackupError(Exception):
    """A backup cannot be made, or not be brought back; says what to do."""


class DamagedBackupError(BackupError):
    """The file is not what a backup wrote: cut off, changed, or something else."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the backup cannot be used: {what}\n    nothing was changed; take another backup"
        )

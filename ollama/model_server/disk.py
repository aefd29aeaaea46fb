"""Free disk, looked at before something large is written."""

import shutil
from pathlib import Path

from model_server.problem import Problem

RESERVE = 256 * 1024**2
"""Bytes left free beyond what is about to be written."""

_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def human(size: float) -> str:
    """Return a size as people write it, in powers of ten as Ollama's library does: "2.0 GB"."""
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:.0f} B"


def require(folder: Path, size: int, what: str) -> None:
    """Make sure that a number of bytes fit into a folder.

    Raises:
        Problem: they do not; says how much is missing.
    """
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < size + RESERVE:
        raise Problem(
            f"{what} needs {human(size + RESERVE)} of disk space, {human(free)} is free",
            f"free {human(size + RESERVE - free)} where the volume of {folder} lies, "
            "or choose a smaller model",
            again="later",
        )

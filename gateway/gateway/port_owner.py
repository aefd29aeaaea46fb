"""Whether a port is taken, and by which process."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

LISTEN = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def is_taken(host: str, port: int) -> bool:
    """Return whether something already listens where the gateway would."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as uvicorn does
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def owner(port: int) -> str | None:
    """Return "pid 123 (its command line)" of a port's listener, as far as one may see."""
    inodes = _listening_inodes(port)
    if inodes:
        return _owner_from_proc(inodes)
    return _owner_from_lsof(port)


def _listening_inodes(port: int) -> set[str]:
    found: set[str] = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            lines = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found


def _owner_from_proc(inodes: set[str]) -> str | None:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(_target(each) in wanted for each in (process / "fd").iterdir()):
                words = (process / "cmdline").read_bytes().split(b"\0")
                return f"pid {process.name} ({b' '.join(words).decode(errors='replace').strip()})"
        except OSError:  # another user's, or gone meanwhile
            continue
    return None


def _target(link: Path) -> str:
    """Return where a link leads; descriptors are closed while one looks."""
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _owner_from_lsof(port: int) -> str | None:
    """Return the owner on macOS, which has no /proc."""
    if shutil.which("lsof") is None:
        return None
    listed = subprocess.run(
        ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    fields = {line[0]: line[1:] for line in listed.splitlines() if line}
    return f"pid {fields['p']} ({fields.get('c', '?')})" if "p" in fields else None

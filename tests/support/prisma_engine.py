"""Databases of a test's own, and the Prisma CLI on litellm/prisma-engine."""

from __future__ import annotations

import importlib.util
import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg

# The folder with the engine and its node_modules, should they not lie in the checkout.
ENGINE = Path(
    os.environ.get("TEST_PRISMA_ENGINE")
    or Path(__file__).resolve().parents[2] / "litellm" / "prisma-engine"
)
SERVER = os.environ.get("TEST_DATABASE_URL", "")


def package_folder(name: str) -> Path:
    """Return the folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None, f"{name} is not installed"
    return Path(spec.origin).parent


def url_with(url: str, *, database: str = "", user: str = "", password: str = "") -> str:
    """Return the URL with another database or other, percent-encoded, credentials."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    netloc = (
        f"{quote(user, safe='')}:{quote(password, safe='')}@{address}" if user else parts.netloc
    )
    return urlunsplit(
        parts._replace(netloc=netloc, path=f"/{database}" if database else parts.path)
    )


@dataclass(frozen=True)
class Database:
    """A database of one test's own, and plain SQL on it."""

    name: str
    url: str

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


def create_database() -> Database:
    """Return a new, empty database."""
    name = f"prisma_engine_test_{secrets.token_hex(6)}"
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return Database(name, url_with(SERVER, database=name))


def create_litellm_database() -> Database:
    """Return a new database with LiteLLM's tables; its migrations are plain SQL."""
    made = create_database()
    scripts = sorted(package_folder("litellm_proxy_extras").glob("migrations/*/migration.sql"))
    with psycopg.connect(made.url, autocommit=True) as connection:
        for script in scripts:
            connection.execute(script.read_bytes())
    return made


def drop_database(database: Database) -> None:
    """Remove it, even if clients are still connected."""
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {database.name} WITH (FORCE)".encode())


@dataclass(frozen=True)
class Prisma:
    """The Prisma CLI on a folder with schema.prisma and migrations."""

    folder: Path
    env: dict[str, str]

    def command(self, *args: str) -> list[str]:
        """Return the command line."""
        return [str(ENGINE / "node_modules" / ".bin" / "prisma"), *args]

    def __call__(self, url: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; standard output and error come together."""
        return subprocess.run(
            self.command(*args),
            cwd=self.folder,
            env={**self.env, **env, "DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, url: str, *args: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as LiteLLM does."""
        return subprocess.Popen(
            self.command(*args),
            cwd=self.folder,
            env={**self.env, "DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def add(self, name: str, script: str) -> None:
        """Add a migration to the folder."""
        folder = self.folder / "migrations" / name
        folder.mkdir(parents=True)
        (folder / "migration.sql").write_text(script)

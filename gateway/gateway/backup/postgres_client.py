"""PostgreSQL's own programs: pg_dump, pg_restore and psql, as streams.

They come with the image (/opt/postgres-client); a native start takes them from PATH. The password
goes by the environment, never as an argument.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gateway.backup.problem import BackupError
from gateway.database.url import for_psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
CLIENT = Path("/opt/postgres-client")

EMPTY = """
DROP OWNED BY CURRENT_USER CASCADE;
CREATE SCHEMA IF NOT EXISTS public;
"""


def dump(url: str, snapshot: str, schema: str | None, part_bytes: int) -> Iterator[bytes]:
    """Yield the database as pg_dump's custom format, in parts of one size but the last.

    Args:
        url: of the database.
        snapshot: the exported one that is dumped.
        schema: dump only this schema; None for the whole database.
        part_bytes: the size of a part.

    Raises:
        BackupError: pg_dump failed; in its own words.
    """
    options = ["--format=custom", "--compress=zstd:3", "--no-owner", "--no-privileges"]
    options += [f"--snapshot={snapshot}", "--lock-wait-timeout=60s"]
    if schema is not None:
        options.append(f'--schema="{schema}"')
    with tempfile.TemporaryFile() as errors:
        process = _start("pg_dump", [*options, _target(url)], url, stdout=True, stderr=errors)
        assert process.stdout is not None  # noqa: S101 -- for mypy: asked for above
        try:
            while part := process.stdout.read(part_bytes):
                yield part
        finally:
            process.stdout.close()
            failed = process.wait() != 0
        if failed:
            raise BackupError(f"pg_dump failed: {_last_words(errors)}\n    {_advice(errors)}")


class Loader:
    """Loads a dump in one transaction, which only `commit` makes effective.

    Args:
        url: of the database.
        replace: drop first what the role owns in the database.
        schema: the one schema that the dump has; None for a whole database.
    """

    def __init__(self, url: str, *, schema: str | None, replace: bool) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the loader
        options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
        self._psql = _start(
            "psql", [*options, "--file=-", _target(url)], url, stdin=True, stderr=self._errors
        )
        self._say("BEGIN;\n" + (EMPTY if replace else ""))
        if schema is not None:
            self._say(f'DROP SCHEMA IF EXISTS "{schema}";\n')  # an empty one; the dump makes it
        self._restore = _start(
            "pg_restore",
            ["--format=custom", "--no-owner", "--no-privileges", "--exit-on-error", "--file=-"],
            url,
            stdin=True,
            stdout=self._psql.stdin,
            stderr=self._errors,
        )

    def close(self) -> None:
        """End both programs; without `commit` before it, nothing has happened."""
        for process in (self._restore, self._psql):
            if process.stdin is not None and not process.stdin.closed:
                process.kill()
                with suppress(BrokenPipeError):
                    process.stdin.close()
            process.wait()
        self._errors.close()

    def feed(self, part: bytes) -> None:
        """Load the next part of the dump.

        Raises:
            BackupError: Postgres refused something; in its own words.
        """
        assert self._restore.stdin is not None  # noqa: S101 -- for mypy: asked for above
        try:
            self._restore.stdin.write(part)
        except BrokenPipeError:
            raise self._failure() from None

    def commit(self) -> None:
        """Make what was loaded effective.

        Raises:
            BackupError: Postgres refused something, and nothing was changed.
        """
        assert self._restore.stdin is not None  # noqa: S101 -- for mypy: asked for above
        assert self._psql.stdin is not None  # noqa: S101 -- as above
        try:
            self._restore.stdin.close()
            if self._restore.wait() == 0:
                self._say("COMMIT;\n")
                self._psql.stdin.close()
                if self._psql.wait() == 0:
                    return
        except BrokenPipeError:
            pass
        raise self._failure()

    def _say(self, statement: str) -> None:
        assert self._psql.stdin is not None  # noqa: S101 -- for mypy: asked for above
        self._psql.stdin.write(statement.encode())
        self._psql.stdin.flush()

    def _failure(self) -> BackupError:
        for process in (self._restore, self._psql):
            process.kill()
            process.wait()
        return BackupError(
            f"the database refused the backup: {_last_words(self._errors)}\n"
            "    nothing was changed; correct what it names and restore again"
        )


def _start(  # noqa: PLR0913 -- where each stream goes
    program: str,
    arguments: Sequence[str],
    url: str,
    *,
    stdin: bool = False,
    stdout: bool | IO[bytes] | None = None,
    stderr: IO[bytes],
) -> subprocess.Popen[bytes]:
    """Start a program; a stream that is True becomes a pipe."""
    path = shutil.which(program, path=str(CLIENT / "bin")) or shutil.which(program)
    if path is None:
        raise BackupError(
            f"{program} is not installed\n    install PostgreSQL 17's client programs"
        )
    variables = {**os.environ, "PGPASSWORD": conninfo_to_dict(for_psycopg(url)).get("password", "")}
    if Path(path).is_relative_to(CLIENT):
        variables["LD_LIBRARY_PATH"] = str(CLIENT / "lib")
    return subprocess.Popen(
        [path, *arguments],
        env={name: str(value) for name, value in variables.items()},
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE if stdout is True else stdout or subprocess.DEVNULL,
        stderr=stderr,
    )


def _target(url: str) -> str:
    """Return the option that names the database, without the password."""
    return f"--dbname={make_conninfo(for_psycopg(url), password=None)}"


def _last_words(errors: IO[bytes]) -> str:
    """Return the first line that says what went wrong."""
    errors.seek(0)
    lines = errors.read(1 << 16).decode("utf-8", "replace").split("\n")
    wrong = [line for line in lines if "error:" in line.lower()] or [line for line in lines if line]
    return wrong[0].strip() if wrong else "it gave no reason"


def _advice(errors: IO[bytes]) -> str:
    errors.seek(0)
    if b"server version mismatch" in errors.read(1 << 16):
        return (
            "the server is newer than the image's pg_dump 17: back up with the server's own tools"
        )
    return "correct what it names and run it again"

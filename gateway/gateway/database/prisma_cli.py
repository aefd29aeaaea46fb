"""Prisma's own command line, run with our engines and without a network."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.config.settings import Settings

POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Outcome:
    """A command's exit code and output."""

    exit_code: int
    output: str
    errors: str


def engine_variables(directory: Path) -> dict[str, str]:
    """Return variables that make Prisma's client and command line use our engines, offline."""
    return {
        "PRISMA_QUERY_ENGINE_BINARY": str(directory / "bin" / "query-engine"),
        "PRISMA_SCHEMA_ENGINE_BINARY": str(directory / "bin" / "schema-engine"),
        "PRISMA_CLI_QUERY_ENGINE_TYPE": "binary",
        "PRISMA_CLI_PATH": str(directory / "node_modules" / ".bin" / "prisma"),
        "PRISMA_OFFLINE_MODE": "true",
        "PRISMA_HIDE_UPDATE_MESSAGE": "true",
        "CHECKPOINT_DISABLE": "1",
    }


class PrismaCli:
    """Runs Prisma's commands on one schema and one database."""

    def __init__(self, settings: Settings, url: str, schema: Path) -> None:
        self._engine = settings.prisma_engine_dir
        self._command = self._engine / "node_modules" / ".bin" / "prisma"
        self._schema = schema
        self._environment = {
            **os.environ,
            **engine_variables(self._engine),
            "DATABASE_URL": url,
            "HOME": str(settings.gateway_state_dir),  # Prisma writes there; the root is read-only
            "NO_COLOR": "1",
        }
        self._directory = settings.gateway_state_dir

    def run(self, *arguments: str, while_waiting: Callable[[], None] | None = None) -> Outcome:
        """Run one command to its end, and call `while_waiting` every two seconds.

        Raises:
            ConfigurationError: Prisma is not installed in PRISMA_ENGINE_DIR.
        """
        if not self._command.exists():
            raise ConfigurationError(
                [
                    Problem(
                        "PRISMA_ENGINE_DIR",
                        f"there is no Prisma in {self._engine}",
                        "set it to the folder litellm/prisma-engine, after npm ci in it",
                    )
                ]
            )
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        process = subprocess.Popen(
            [self._command, *arguments],
            env=self._environment,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            while True:
                try:
                    output, errors = process.communicate(timeout=POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    if while_waiting is not None:
                        while_waiting()
                else:
                    return Outcome(process.returncode, output, errors)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()

    def deploy(self, while_waiting: Callable[[], None]) -> Outcome:
        """Apply every pending migration."""
        return self.run(
            "migrate", "deploy", "--schema", str(self._schema), while_waiting=while_waiting
        )

    def mark_rolled_back(self, name: str) -> Outcome:
        """Mark a failed migration as rolled back, so that Prisma may try it again."""
        return self.run("migrate", "resolve", "--rolled-back", name, "--schema", str(self._schema))

    def difference(self) -> Outcome:
        """Compare the database with the schema: exit code 0 if equal, 2 with the SQL if not."""
        schema = str(self._schema)
        return self.run(
            *("migrate", "diff", "--exit-code", "--script"),
            *("--from-schema-datasource", schema, "--to-schema-datamodel", schema),
        )

"""The three processes: the scripted upstream, the gateway, and LiteLLM's proxy as it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from gateway.journal import lines, record, segments
from support.prisma_engine import ENGINE, Database
from support.same_answers.models import configuration
from support.stack import REPOSITORY, free_port
from support.wait import until

KEY = "sk-same-answers-0123456789abcdefghijklmnop"
LITELLM_SECONDS = 120
"""Its start takes 12 s of processor."""
CALLBACK = "litellm_rows"
CHUNK = 1 << 20
"""Bytes of a journal's file that are read at once; an example writes a few hundred."""


@dataclass
class Process:
    """A server of its own.

    Attributes:
        name: for messages.
        url: where it is.
        folder: its own; its log is in it.
    """

    name: str
    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    def wait(self, path: str, seconds: float) -> None:
        """Wait until it is healthy."""
        until(
            lambda: self._answers(path),
            seconds=seconds,
            what=f"{self.name} to start",
            alive=self.alive,
        )

    def alive(self) -> None:
        """Raise when it has ended."""
        assert self.process.poll() is None, f"{self.name} ended:\n{self.log()}"

    def log(self) -> str:
        """Return the end of what it wrote."""
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def has_logged(self, words: str) -> bool:
        """Return whether it has written these words."""
        return words in (self.folder / "log").read_text(errors="replace")

    def _answers(self, path: str) -> bool:
        return requests.get(f"{self.url}{path}", timeout=5).status_code == 200


@contextmanager
def started(
    name: str, folder: Path, port: int, command: list[str], variables: dict[str, str]
) -> Iterator[Process]:
    """Start a server, and end it."""
    folder.mkdir(parents=True, exist_ok=True)
    own = {"HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], **own, **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Process(name, f"http://127.0.0.1:{port}", folder, process)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def upstream(folder: Path) -> Iterator[Process]:
    """Start the scripted upstream."""
    port, hole = free_port(), free_port()
    variables = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "BLACKHOLE_PORT": str(hole),
        "PYTHONPATH": str(REPOSITORY / "scripted-upstream"),
    }
    command = [sys.executable, "-m", "scripted_upstream", "serve"]
    with started("the scripted upstream", folder, port, command, variables) as process:
        process.wait("/_control/health", 30)
        yield process


@contextmanager
def plain_litellm(folder: Path, upstream_url: str) -> Iterator[Process]:
    """Start LiteLLM's proxy as it is installed; it is not waited for."""
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).parent / f"{CALLBACK}.py", folder)
    config = configuration(f"{upstream_url}/u/litellm")
    config["litellm_settings"] |= {
        "callbacks": [f"{CALLBACK}.rows"],
        "disable_hf_tokenizer_download": True,  # else 24 s a failure where that host is unreachable
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    variables = {
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_ROWS": str(folder / "rows"),
        "DISABLE_ADMIN_UI": "True",
    }
    program = Path(sys.executable).parent / "litellm"
    options = ["--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    with started(
        "LiteLLM", folder, port, [sys.executable, str(program), *options], variables
    ) as process:
        yield process


@contextmanager
def gateway(folder: Path, upstream_url: str, database: Database) -> Iterator[Process]:
    """Migrate a database and start the gateway on it."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration(f"{upstream_url}/u/gateway")))
    port = free_port()
    variables = {
        "DATABASE_URL": database.url,
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_CONFIG": str(folder / "config.yaml"),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "GATEWAY_STATE_DIR": str(folder),
        "PRISMA_ENGINE_DIR": str(ENGINE),
        "PROBE_CALLS": "off",  # the upstream is asked for what is compared, and for nothing else
        "PYTHONPATH": str(REPOSITORY / "gateway"),
    }
    migrate, serve = ([sys.executable, "-m", "gateway", name] for name in ("migrate", "serve"))
    with started("gateway migrate", folder / "migrate", 0, migrate, variables) as process:
        code = process.process.wait(120)
        assert code == 0, process.log()
    with started("the gateway", folder, port, serve, variables) as process:
        process.wait("/health", 60)
        yield process


@dataclass
class JournalTail:
    """The records that the gateway writes, read as they come."""

    folder: Path
    _offsets: dict[Path, int] = field(default_factory=dict)

    def new_records(self) -> list[record.Record]:
        """Return the records that came since the last call."""
        records = []
        for path in sorted(self.folder.glob(f"**/*{segments.SUFFIX}")):
            base = self._offsets.get(path, 0)
            with path.open("rb") as file:
                file.seek(base)
                data = file.read(CHUNK)
            for line in lines.scan(data, base):
                assert isinstance(line, lines.Line), line
                self._offsets[path] = line.end
                found = json.loads(line.body)
                if "row" in found:
                    records.append(record.decoded(found))
        return records


@dataclass
class LiteLLMTail:
    """The rows that plain LiteLLM tells of, read as they come."""

    file: Path
    _offset: int = 0
    _rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def rows_of(self, call: str) -> list[dict[str, Any]]:
        """Return those of one call that are there."""
        if self.file.exists():
            with self.file.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._offset += len(whole)
            for line in whole.splitlines():
                row = json.loads(line)
                self._rows.setdefault(row["call"], []).append(row)
        return self._rows.get(call, [])

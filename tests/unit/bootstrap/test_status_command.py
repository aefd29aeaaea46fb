"""`./run status` with an engine that only answers: the table, and what it takes to make it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.stack import REPOSITORY

# A stack whose model server is broken and whose Prometheus was stopped; writes down each call.
DOCKER = r"""#!/bin/sh
echo "$*" >>"$CALLS"
case $* in
  "compose config --services") printf '%s\n' prometheus gateway ;;
  "compose ps --all --format"*)
    echo "backend-stub|healthy|b1|127.0.0.1:8123->8000/tcp"
    echo "gateway|healthy|g1|127.0.0.1:4123->4000/tcp, 9400/tcp"
    echo "litellm|healthy|l1|"
    echo "ollama|unhealthy|o1|11434/tcp"
    echo "prometheus|exited|p1|"
    ;;
  "compose exec"*ollama*) exit 1 ;;
  "compose exec"*overview*) echo "${JSON:-today 3 requests}" ;;
  "inspect --format"*Health*o1) echo "there is no model lama" ;;
  "inspect --format"*Health*l1) echo idle ;;
esac
"""
TABLE = {
    "backend-stub": ["healthy", "http://127.0.0.1:8123"],
    "gateway": ["healthy", "http://127.0.0.1:4123"],
    "litellm": ["healthy", "internal", "idle"],
    "ollama": ["unhealthy", "internal", "there is no model lama"],
    "postgres": ["not running", "internal"],
    "prometheus": ["exited"],
}


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Return the file of the engine's calls; next to it is a docker command that only answers."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    return tmp_path / "calls"


def status(calls: Path, *arguments: str, **environment: str) -> str:
    """Run it and return what it printed."""
    path = f"{calls.parent / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        [REPOSITORY / "run", "status", *arguments],
        env={"PATH": path, "HOME": str(calls.parent), "CALLS": str(calls), **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_each_service_has_a_line_with_its_state_address_and_trouble(calls: Path) -> None:
    """A service without a container, and one of a profile, too; the day stands below."""
    lines = status(calls).splitlines()

    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[1 : 1 + len(TABLE)]}
    assert rows == {service: " ".join(row) for service, row in TABLE.items()}
    assert "today 3 requests" in lines


def test_scripts_get_the_same(calls: Path) -> None:
    """With --json: state, address or null, and detail or null."""
    document: dict[str, Any] = json.loads(status(calls, "--json", JSON='{"requests": 3}'))

    found = {each["service"]: each for each in document["services"]}
    assert {name: each["state"] for name, each in found.items()} == {
        service: row[0] for service, row in TABLE.items()
    }
    assert (found["gateway"]["url"], found["postgres"]["url"]) == ("http://127.0.0.1:4123", None)
    assert found["ollama"]["detail"] == "there is no model lama"
    assert document["today"] == {"requests": 3}


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_compose_lists_the_containers_once(calls: Path, arguments: tuple[str, ...]) -> None:
    """Not once for each service and column: that took most of a status' time."""
    status(calls, *arguments, JSON="{}")

    asked = calls.read_text().splitlines()
    assert len([call for call in asked if call.startswith(("compose ps", "compose port"))]) == 1

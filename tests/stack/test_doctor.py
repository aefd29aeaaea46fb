"""./run doctor on real containers: with the stack down, half up and broken, mended, and up."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.stack import Stack
from support.wait import until

MISSPELT = "lama3.2"


@pytest.fixture(scope="module")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a .env with Windows line ends, which compose itself does not mind."""
    path = tmp_path_factory.mktemp("doctor") / "windows.env"
    path.write_bytes(f"OLLAMA_MODEL={MISSPELT}\r\nOLLAMA_PULL_ATTEMPTS=1\r\n".encode())
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def broken(env_file: Path) -> Iterator[Stack]:
    """Yield a stack that is down, whose .env has a misspelt model."""
    with Stack({"COMPOSE_ENV_FILES": str(env_file)}) as stack:
        yield stack


def findings(stack: Stack, *, exit_code: int = 1) -> dict[str, dict[str, Any]]:
    """Return what doctor finds, by check; of several findings of a check the last."""
    done = stack.run("doctor", "--json", check=False)
    assert done.returncode == exit_code, done.stderr
    return {each["check"]: each for each in json.loads(done.stdout)["findings"]}


def test_a_stack_that_is_down_is_reported(broken: Stack) -> None:
    """Before the first start, doctor says so, and what is wrong with .env already."""
    found = findings(broken)

    assert found["stack_runs"]["what"] == "the stack is not running"
    assert "CRLF" in found["unclean_lines"]["evidence"]
    assert "ports_free" not in found


def test_a_half_started_stack_with_three_faults_is_told_all_of_them(broken: Stack) -> None:
    """A model that cannot be pulled, a port that a process has, services that are missing."""
    broken.compose("up", "--detach", "--no-build", "ollama")
    until(
        lambda: "failed" in broken.execute("ollama", "model-server", "status"),
        seconds=120,
        what="the pull to fail",
    )
    with socket.create_server(("127.0.0.1", broken.litellm_port)):
        found = findings(broken)

    assert "OLLAMA_MODEL=llama3.2 " in found["model_present"]["fix"]
    assert found["ports_free"]["what"] == f"port {broken.litellm_port} is taken"
    assert found["ports_free"]["evidence"].startswith(f"pid {os.getpid()} ")
    assert found["stack_runs"]["what"].endswith("is not running")


def test_fix_cleans_env_and_restarts_the_model_server(broken: Stack, env_file: Path) -> None:
    """After --fix --yes the lines are clean, a copy is there, and ollama tries its pull again."""
    before = broken.inspect("ollama")["State"]["StartedAt"]

    done = broken.run("doctor", "--fix", "--yes", check=False)

    assert done.returncode == 1  # most of the stack is still missing
    assert "unclean" not in done.stdout
    assert b"\r" not in env_file.read_bytes()
    assert len(list(env_file.parent.glob("windows.env.*.bak"))) == 1
    assert broken.inspect("ollama")["State"]["StartedAt"] != before


def test_a_stack_that_is_up_has_nothing_wrong_with_it(stack: Stack) -> None:
    """Its ports, services, keys and model are fine; of the machine it runs on, nothing is asked."""
    done = stack.run("doctor", "--json", check=False)

    found = {each["check"] for each in json.loads(done.stdout)["findings"]}
    of_the_machine = {"answers_in_time", "disk_space", "model_fits", "permissions", "proxies"}
    assert not found - of_the_machine, done.stdout
    assert done.returncode == bool(found)

"""./run doctor on the host's side: without an engine, and what --fix does to files."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from support.stack import REPOSITORY

NO_ENGINE = "unix:///nonexistent/docker.sock"
DIRTY = b"\xef\xbb\xbfLITELLM_PORT=4001\r\nOPENAI_API_KEY='sk-abc' \r\n# end\n"
CLEAN = b"LITELLM_PORT=4001\nOPENAI_API_KEY='sk-abc'\n# end\n"


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """Return a .env with everything that --fix mends."""
    path = tmp_path / "my.env"
    path.write_bytes(DIRTY)
    path.chmod(0o644)
    return path


def doctor(
    home: Path, *arguments: str, stdin: str = "", path: str | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Call ./run doctor where no container engine answers."""
    environment = {"COMPOSE_ENV_FILES": "/dev/null", **variables}
    return subprocess.run(
        [str(REPOSITORY / "run"), "doctor", *arguments],
        env={
            "PATH": path or os.environ["PATH"], "HOME": str(home), "DOCKER_HOST": NO_ENGINE,
            **environment,
        },
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )  # fmt: skip


def without_python(folder: Path) -> str:
    """Return a PATH on which python3 is none that could be used."""
    (folder / "bin").mkdir()
    fake = folder / "bin" / "python3"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    return f"{folder / 'bin'}:{os.environ['PATH']}"


def test_without_an_engine_that_is_the_finding(tmp_path: Path) -> None:
    """The engine's own words are the evidence, and what to do follows; the exit code is 1."""
    done = doctor(tmp_path)

    assert done.returncode == 1
    assert "no container engine answers" in done.stdout
    assert "Cannot connect" in done.stdout
    assert "not checked: providers and models" in done.stdout


def test_without_an_engine_env_is_judged_all_the_same(tmp_path: Path, env_file: Path) -> None:
    """What needs no engine is found without one, as JSON too."""
    done = doctor(tmp_path, "--json", COMPOSE_ENV_FILES=str(env_file))

    checks = [each["check"] for each in json.loads(done.stdout)["findings"]]
    assert checks == ["engine_answers", "unclean_lines", "env_file_is_private"]


def test_without_engine_and_python_a_message_says_so(tmp_path: Path) -> None:
    """A bare host gets the one thing that can be said, in both forms."""
    path = without_python(tmp_path)
    said = doctor(tmp_path, path=path)
    document = json.loads(doctor(tmp_path, "--json", path=path).stdout)

    assert said.returncode == 1
    assert "no container engine answers" in said.stderr
    assert "docs.docker.com/engine/install" in said.stderr
    assert document["findings"][0]["check"] == "engine_answers"


def test_fix_cleans_env_keeps_a_copy_and_hides_it(tmp_path: Path, env_file: Path) -> None:
    """With --yes nothing is asked; lines are clean, the copy is the old file, the mode is 600."""
    done = doctor(tmp_path, "--fix", "--yes", COMPOSE_ENV_FILES=str(env_file))

    assert env_file.read_bytes() == CLEAN
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    [copy] = tmp_path.glob("my.env.*.bak")
    assert copy.read_bytes() == DIRTY
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert str(copy) in done.stderr
    assert done.returncode == 1  # the engine is still not there
    assert "unclean" not in done.stdout
    assert "1 thing is wrong" in done.stdout


def test_fix_does_nothing_that_was_not_agreed_to(tmp_path: Path, env_file: Path) -> None:
    """Each repair is asked for; no, and no answer at all, leave things as they are."""
    done = doctor(tmp_path, "--fix", stdin="n\n", COMPOSE_ENV_FILES=str(env_file))

    assert env_file.read_bytes() == DIRTY
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o644
    assert done.stderr.count("[y/N]") == 2
    assert done.returncode == 1


def test_an_env_that_cannot_be_copied_is_left_alone(tmp_path: Path, env_file: Path) -> None:
    """Where no copy can be kept, nothing is changed, and the run fails and says so."""
    (tmp_path / "bin").mkdir()
    date = tmp_path / "bin" / "date"
    date.write_text("#!/bin/sh\necho no/such/folder\n")
    date.chmod(0o755)
    path = f"{date.parent}:{os.environ['PATH']}"
    done = doctor(tmp_path, "--fix", "--yes", path=path, COMPOSE_ENV_FILES=str(env_file))

    assert done.returncode == 1
    assert "left alone" in done.stderr
    assert env_file.read_bytes() == DIRTY


def test_a_process_that_has_the_port_is_named(tmp_path: Path) -> None:
    """The listener is found in the kernel's table, with its process id and command."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = doctor(tmp_path, "--json", LITELLM_PORT=str(port))

    found = {each["check"]: each for each in json.loads(done.stdout)["findings"]}
    assert f"pid {os.getpid()} (" in found["ports_free"]["evidence"]
    assert found["ports_free"]["what"] == f"port {port} is taken"


def test_an_unknown_option_and_a_contradiction_are_refused(tmp_path: Path) -> None:
    """A misspelt option is named; --fix asks, so it does not go with --json."""
    assert "does not know '--fixx'" in doctor(tmp_path, "--fixx").stderr
    assert "--fix asks" in doctor(tmp_path, "--fix", "--json").stderr

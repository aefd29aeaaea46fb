"""The commands in the image, run as it runs them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scripted_upstream import health
from support.wait import until

PART = Path(__file__).resolve().parents[3] / "scripted-upstream"


def command(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start a command."""
    return subprocess.Popen(
        [sys.executable, "-m", "scripted_upstream", *arguments],
        cwd=PART,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run a command to its end; return its exit code and what it said."""
    with command(*arguments, **environment) as process:
        said, _ = process.communicate(timeout=20)
    return process.returncode, said


@pytest.fixture
def bad(tmp_path: Path) -> str:
    """Return a script that is wrong in its second line."""
    file = tmp_path / "bad.yaml"
    file.write_text("rules:\n  - do: {status: 1}\n")
    return str(file)


@pytest.fixture
def port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
    return number


def test_check(bad: str) -> None:
    """Check says of each file that it is fine or what is wrong in which line; 2 if any is."""
    good = str(PART / "scripts" / "down.yaml")

    assert run("check", good) == (0, f"{good}: ok, 1 rule\n")
    code, said = run("check", good, bad)
    assert code == 2
    assert f"{bad}: line 2: rules[0].do.status: input should be" in said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SCRIPT", "/nowhere.yaml", "/nowhere.yaml: line 0: script: cannot be read"),
        ("PORT", "http", "PORT is 'http'; set it to a whole number"),
        ("JOURNAL_SIZE", "0", "JOURNAL_SIZE is '0'; set it to a whole number"),
    ],
)
def test_will_not_start(name: str, value: str, said: str) -> None:
    """A setting that cannot be used stops the start with 2 and a line that names it."""
    code, output = run("serve", **{name: value})

    assert code == 2
    assert said in output


def test_will_not_start_with_a_wrong_script(bad: str) -> None:
    """A wrong script stops the start with the line."""
    code, said = run("serve", SCRIPT=bad)

    assert code == 2
    assert f"{bad}: line 2" in said


def test_health_wants_a_200() -> None:
    """An answer other than 200 is unhealthy, and the status is said."""

    class Failing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Failing) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        said = health.check("127.0.0.1", server.server_port)
        thread.join()

    assert said == "GET /_control/health answers 503"


def test_serves_and_stops(port: int) -> None:
    """The server is healthy while it serves, and a SIGTERM ends it within seconds."""
    script = str(PART / "scripts" / "down.yaml")
    assert health.check("127.0.0.1", port) is not None
    with command("serve", SCRIPT=script, PORT=str(port), HOST="127.0.0.1") as process:
        until(
            lambda: health.check("127.0.0.1", port) is None, seconds=20, what="the server to serve"
        )
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=10)

    assert said == f"scripted-upstream: port {port}, {script}, 1 rule\n"

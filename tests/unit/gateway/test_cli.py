"""The command line as a person meets it, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gateway import health_command

PACKAGE = Path(__file__).parents[3] / "gateway"
HEAVY = ("litellm", "prisma", "rich", "httpx")
CLIENTS = ("aiohttp", "yarl", "urllib3")
PARSERS = ("pydantic", "pydantic_settings", "typer")


class Healthy(BaseHTTPRequestHandler):
    """A gateway that is well."""

    def do_GET(self) -> None:
        """Say so."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "healthy"}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def gateway(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command with the variables given and no others of ours."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), **variables}
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "command", ["", "secrets", "migrate", "serve", "check", "doctor", "spend", "key"]
)
def test_every_command_explains_itself(command: str) -> None:
    """--help works everywhere, without any setting."""
    done = gateway(*filter(None, [command]), "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_check_says_what_a_start_would_do() -> None:
    """`check` shows models, what is left out, routing and database; exit code 0."""
    done = gateway("check")
    assert done.returncode == 0, done.stderr
    assert "extraction-model = ollama_chat/llama3.2 at http://localhost:11434" in done.stdout
    assert "extraction-model-openai left out: OPENAI_API_KEY is unset" in done.stdout
    assert "simple-shuffle" in done.stdout


def test_wrong_settings_end_with_code_2_and_every_problem() -> None:
    """A start stops before LiteLLM is imported, with all problems and no traceback."""
    done = gateway("serve", ROUTING_STRATEGY="fastest", REQUEST_TIMEOUT="soon")
    assert done.returncode == 2
    assert "ROUTING_STRATEGY: 'fastest'" in done.stderr
    assert "REQUEST_TIMEOUT: 'soon'" in done.stderr
    assert "Traceback" not in done.stderr


def test_unreachable_database_ends_with_code_1_and_advice() -> None:
    """`migrate` and `spend` tell where they looked and what to check."""
    url = "postgresql://u:hidden@127.0.0.1:1/d"
    for command in (["migrate"], ["spend"]):
        done = gateway(*command, DATABASE_URL=url, DB_WAIT="1")
        assert done.returncode == 1
        assert "the database at 127.0.0.1:1/d does not answer" in done.stderr
        assert "check that Postgres runs" in done.stderr
        assert "hidden" not in done.stderr
        assert "Traceback" not in done.stderr


def test_health_of_nothing_is_unhealthy() -> None:
    """Where no gateway listens, the check fails and says so."""
    done = gateway("health", PORT="1")
    assert done.returncode == 1
    assert "nothing answers on port 1" in done.stdout


@pytest.mark.parametrize(
    ("answer", "code", "line"),
    [
        ({"status": "healthy", "models": 2}, 0, "healthy"),
        ({"status": "unhealthy", "reasons": ["a", "b"]}, 1, "unhealthy; a; b"),
    ],
)
def test_health_hands_on_what_the_gateway_says(
    answer: dict[str, object], code: int, line: str
) -> None:
    """The check's exit code and line are those of /health."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if code == 0 else 503)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        done = gateway("health", PORT=str(server.server_port))
        thread.join()
    assert (done.returncode, done.stdout.strip()) == (code, line)


def test_health_finds_a_gateway_that_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The check asks again while nothing listens, and tells what it then hears."""
    with HTTPServer(("127.0.0.1", 0), Healthy, bind_and_activate=False) as server:
        server.server_bind()  # the port is taken, and connections are refused until it listens
        monkeypatch.setenv("PORT", str(server.server_address[1]))
        thread = threading.Thread(target=server.handle_request)

        def begin(_: float) -> None:
            server.server_activate()
            thread.start()

        monkeypatch.setattr("gateway.health_command.time.sleep", begin)
        code = health_command.main()
        thread.join()

    assert (code, capsys.readouterr().out) == (0, "healthy\n")


@pytest.mark.parametrize(
    ("module", "more"),
    [
        ("gateway.cli", ("uvicorn",)),
        ("gateway.config.checked", ("uvicorn", *PARSERS)),
        ("gateway.database.migrate", ("uvicorn", *PARSERS)),
        ("gateway.secret_store, gateway.commands", ("uvicorn", *PARSERS, "psycopg", "yaml")),
        ("gateway.serve, gateway.assembly", (*PARSERS, *CLIENTS, "stamina")),
        ("gateway.journal.applier", ("uvicorn", *PARSERS, *CLIENTS, "yaml")),
        ("gateway.health_command", ("uvicorn", *PARSERS, "psycopg", "yaml", "logging")),
    ],
)
def test_nothing_heavy_is_imported_that_is_not_used(module: str, more: tuple[str, ...]) -> None:
    """A start, and what runs often, does not pay for packages that it may never need."""
    code = f"import sys, {module}; print([m for m in {HEAVY + more!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"

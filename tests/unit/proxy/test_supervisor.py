"""LiteLLM's container: it starts LiteLLM, holds requests meanwhile, and says what is going on."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import unused_port

from gateway.proxy.front import HEALTH, Front
from gateway.proxy.supervisor import Mode, Options, State, Supervisor

PATIENCE = 60.0  # seconds; a process starts slowly on a busy machine

# Stands for LiteLLM: answers its check, dies when told to, echoes a body.
FAKE = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/die":
            os._exit(7)
        self.answer(b"alive")
    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["content-length"])))
    def answer(self, body):
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


async def _nothing() -> None:
    """Prepare nothing."""


@asynccontextmanager
async def _running(
    command: list[str] | None = None,
    hold: float = PATIENCE,
    **more: Any,
) -> AsyncIterator[tuple[Supervisor, int]]:
    """Give a supervisor that was started, and the port of its front."""
    backend, port = unused_port(), unused_port()
    given = command if command is not None else [sys.executable, "-S", "-c", FAKE, str(backend)]
    supervisor = Supervisor(Options(_nothing, given, {}, backend, stop_seconds=5, **more))
    server = await Front(supervisor, backend, hold).serve("127.0.0.1", port)
    supervisor.start()
    try:
        yield supervisor, port
    finally:
        server.close()
        await supervisor.stop()


async def _ask(
    port: int, path: str, body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    method = "GET" if body is None else "POST"
    length = "" if body is None else f"content-length: {len(body)}\r\n"
    writer.write(f"{method} {path} HTTP/1.1\r\nhost: x\r\n{length}\r\n".encode() + (body or b""))
    try:
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)).decode()
        lines = head.strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        content = await reader.readexactly(int(headers["content-length"]))
    finally:
        writer.close()
    return int(lines[0].split()[1]), headers, content


async def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        await asyncio.sleep(0.02)


async def test_on_demand_nothing_runs_until_a_request_comes_which_is_then_answered() -> None:
    """On demand, LiteLLM does not run until a request comes, which is then answered."""
    async with _running(mode=Mode.ON_DEMAND) as (supervisor, port):
        status, _, body = await _ask(port, HEALTH)
        assert (status, json.loads(body)["state"]) == (200, "idle")
        status, _, body = await _ask(port, "/echo", b"x" * 300_000)
        assert (status, body) == (200, b"x" * 300_000)
        assert supervisor.state is State.READY


async def test_a_connection_that_says_nothing_wakes_nobody() -> None:
    """On demand, a connection that sends nothing does not start LiteLLM."""
    async with _running(mode=Mode.ON_DEMAND) as (supervisor, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await _ask(port, HEALTH)
        writer.close()
        assert supervisor.state is State.IDLE


async def test_on_demand_it_is_stopped_when_nobody_uses_it_and_started_again() -> None:
    """On demand, LiteLLM is stopped when nobody uses it, and a request starts it again."""
    async with _running(mode=Mode.ON_DEMAND, idle_seconds=0.3) as (supervisor, port):
        assert (await _ask(port, "/"))[0] == 200
        await _until(lambda: supervisor.state is State.IDLE)
        assert supervisor.why == "nobody needs it"
        assert (await _ask(port, "/"))[0] == 200


async def test_always_it_starts_by_itself_and_again_when_it_died() -> None:
    """In the mode `always`, LiteLLM starts by itself, and again after it has died."""
    async with _running(mode=Mode.ALWAYS) as (supervisor, port):
        await _until(lambda: supervisor.state is State.READY)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /die HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await reader.read() == b""  # cut off, not held for ever
        writer.close()
        await _until(lambda: supervisor.state is State.FAILED)
        assert supervisor.why == "ended with status 7"
        status, _, body = await _ask(port, HEALTH)
        assert (status, json.loads(body)["why"]) == (503, "ended with status 7")
        await _until(lambda: supervisor.state is State.READY)


async def test_a_request_is_told_to_come_again_when_litellm_takes_too_long() -> None:
    """A request gets 503 with a Retry-After when LiteLLM takes too long to start."""
    sleeper = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
    async with _running(sleeper, hold=0.2, mode=Mode.ON_DEMAND) as (_, port):
        status, headers, body = await _ask(port, "/echo", b"x" * 100_000)
        assert status == 503
        assert headers["retry-after"] == "5"
        assert "is starting" in json.loads(body)["error"]["message"]


async def test_a_command_that_is_not_there_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    """A command that does not exist is a failure with a reason, and requests get 503."""
    async with _running([str(tmp_path / "missing")], hold=0.1) as (supervisor, port):
        await _until(lambda: supervisor.state is State.FAILED)
        assert "cannot be started" in supervisor.why
        assert (await _ask(port, "/"))[0] == 503


async def test_what_hangs_while_it_starts_is_ended_and_its_children_with_it(tmp_path: Path) -> None:
    """A LiteLLM that hangs while it starts is ended together with its child processes."""
    mark = tmp_path / "child"
    # It hears no SIGTERM, and its parent does: only killing the group ends it.
    child_command = ["sh", "-c", 'trap "" TERM; exec sleep 600']
    script = (
        "import subprocess, sys, time; "
        f"child = subprocess.Popen({child_command!r}); "
        f"open({str(mark)!r}, 'w').write(str(child.pid)); time.sleep(600)"
    )
    command = [sys.executable, "-S", "-c", script]
    async with _running(command, start_seconds=3.0) as (supervisor, _):
        await _until(lambda: mark.exists() and mark.read_text() != "")
        await _until(lambda: "not ready within" in supervisor.why)
        child = int(mark.read_text())
        await _until(lambda: not _is_running(child))


# Stands for LiteLLM and its engine: says whether that is still there when it is told to end.
WITH_ENGINE = """
import pathlib, signal, subprocess, sys
engine = subprocess.Popen(["sleep", "600"])
def end(*_):
    try:
        engine.wait(0.5)
        found = "gone"
    except subprocess.TimeoutExpired:
        found = "there"
    pathlib.Path(sys.argv[1]).write_text(found)
    sys.exit()
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).write_text(str(engine.pid))
signal.pause()
"""


async def test_its_engine_is_there_until_it_has_ended(tmp_path: Path) -> None:
    """Told to end, LiteLLM can still write to the database; then its engine is ended, too."""
    mark = tmp_path / "engine"
    async with _running([sys.executable, "-S", "-c", WITH_ENGINE, str(mark)]):
        await _until(lambda: mark.exists() and mark.read_text() != "")
        engine = int(mark.read_text())
    assert mark.read_text() == "there"
    await _until(lambda: not _is_running(engine))


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 -- the kernel's
            return stat.read().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


NOISY = r"""
import os, sys
print("a banner", flush=True)
os.write(2, b'ERROR:    [Errno 98] taken\n\n')
os.write(2, b'{"message": "m", "level": "DEBUG", "logger": "x.py:1"}\n')
os.write(1, b"x" * 300_000 + b"\n[1]\nthe last \xff words")
"""


async def test_every_line_is_json_where_that_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With JSON logs, whatever LiteLLM's process prints becomes JSON events."""
    command = [sys.executable, "-S", "-c", NOISY]
    async with _running(command, hold=1, json_logs=True) as (supervisor, _):
        await _until(lambda: supervisor.state is State.FAILED)
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    long = [each for each in events if each["message"].startswith("xx")]
    assert "".join(each["message"] for each in long) == "x" * 300_000
    assert len(long) > 1
    events = [each for each in events if each not in long]
    assert [(each["level"], each["message"]) for each in events] == [
        ("INFO", "a banner"),
        ("ERROR", "ERROR:    [Errno 98] taken"),
        ("DEBUG", "m"),
        ("INFO", "[1]"),
        ("INFO", "the last \ufffd words"),
    ]
    assert events[2]["logger"] == "x.py:1"
    assert {each["component"] for each in events} == {"litellm"}
    assert all(each["timestamp"].endswith("+00:00") for each in events)

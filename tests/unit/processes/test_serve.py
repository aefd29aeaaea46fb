"""`gateway serve` with GATEWAY_PROCESSES=2: one port, one health, one set of metrics."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest
import requests

from gateway.config.problems import ConfigurationError
from gateway.config.settings import load_settings
from gateway.processes import serve
from support.wait import until

SECONDS = 60
CONFIG = """
model_list:
  - model_name: nobody
    litellm_params: { model: openai/nobody, api_base: "http://127.0.0.1:PORT/v1", api_key: none }
    model_info: { input_cost_per_token: 0, output_cost_per_token: 0 }
"""
ANSWER = json.dumps(
    {
        "id": "answer",
        "object": "chat.completion",
        "created": 1,
        "model": "nobody",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hallo"},
                "finish_reason": "stop",
            }
        ],
    }
).encode()


class Served:
    """A gateway of two processes.

    Attributes:
        port: where it answers.
        metrics_port: where its metrics are.
        process: the supervisor.
    """

    def __init__(self, port: int, metrics_port: int, process: subprocess.Popen[bytes]) -> None:
        self.port, self.metrics_port, self.process = port, metrics_port, process

    def health(self) -> dict[str, object]:
        """Return what /health answers over a new connection; empty while nothing answers."""
        try:
            answer = requests.get(f"http://127.0.0.1:{self.port}/health", timeout=10)
        except requests.ConnectionError:
            return {}
        found: dict[str, object] = answer.json()
        return found

    def is_whole(self) -> bool:
        """Return whether all processes serve."""
        return self.health() == {"status": "healthy", "models": 1}

    def alive(self) -> None:
        """Raise when the gateway has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the gateway ended with code {self.process.returncode}")

    def failed(self, port: int) -> float:
        """Return how many requests the metrics on a port count as failed."""
        text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        found = re.findall(r'gateway_requests_total\{.*outcome="failed"\} (\S+)', text)
        return sum(map(float, found))

    def pids(self) -> list[int]:
        """Return the ids of the gateways, in the order of their numbers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()][:2]


def free_ports(count: int) -> int:
    """Return the first of so many neighbouring ports, none of which is taken.

    They are below 32768, where Linux takes no port for an outgoing connection of another test.
    """
    while True:
        first = random.randrange(20_000, 32_000)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Yield a gateway of two processes that serve."""
    with serving(tmp_path_factory.mktemp("served")) as gateway:
        yield gateway


@contextmanager
def serving(folder: Path, upstream: int = 9) -> Iterator[Served]:
    """Run a gateway of two processes, until both serve; nobody listens at the upstream's port 9."""
    config = folder / "config.yaml"
    config.write_text(CONFIG.replace("PORT", f"{upstream}"))
    port = free_ports(4)
    metrics_port = port + 1  # and two more, one for each process
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "GATEWAY_PROCESSES": "2",
            "PORT": f"{port}",
            "METRICS_PORT": f"{metrics_port}",
            "LITELLM_CONFIG": f"{config}",
            "GATEWAY_STATE_DIR": f"{folder}",
            "NUM_RETRIES": "0",
        },
    )
    gateway = Served(port, metrics_port, process)
    try:
        until(gateway.is_whole, seconds=SECONDS, what="both to serve", alive=gateway.alive)
        yield gateway
    finally:
        process.kill()
        process.wait()


def ask(gateway: Served) -> int:
    """Ask over a new connection; return the status of the answer."""
    url = f"http://127.0.0.1:{gateway.port}/v1/chat/completions"
    body = {"model": "nobody", "messages": [{"role": "user", "content": "Hallo"}]}
    return requests.post(url, json=body, timeout=SECONDS).status_code


def test_both_processes_answer_and_their_metrics_are_one(served: Served) -> None:
    """New connections reach both processes, and the metrics count each failed request once."""
    for _ in range(40):
        assert ask(served) >= 500

    counts = [served.failed(served.metrics_port + number) for number in (1, 2)]
    assert sum(counts) == served.failed(served.metrics_port) == 40
    assert min(counts) > 4, "a fair coin's chance of fewer is below one in a million"


def test_the_supervisor_has_one_thread(served: Served) -> None:
    """The process that forks has no second thread, whose work a fork would cut in two."""
    status = Path(f"/proc/{served.process.pid}/status").read_text()
    assert "Threads:\t1\n" in status


def test_a_port_that_is_taken_is_refused(served: Served) -> None:
    """A second gateway does not share the port of the first, although that is open to sharing."""
    settings = load_settings({"GATEWAY_PROCESSES": "2", "PORT": f"{served.port}"})
    with pytest.raises(ConfigurationError, match=f"PORT: {served.port} is taken by pid"):
        serve.serve_by_several(settings, lambda _, __: None)


def test_another_system_than_linux_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel does not spread connections, several processes are refused by name."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigurationError, match="GATEWAY_PROCESSES: 2 processes cannot share"):
        serve.check_port(load_settings({"GATEWAY_PROCESSES": "2"}))


def test_health_tells_of_the_other_process(served: Served) -> None:
    """While a process is away the other serves and says so; soon both serve again."""
    counted = served.failed(served.metrics_port)
    os.kill(served.pids()[0], signal.SIGKILL)
    degraded = {"status": "healthy", "models": 1, "degraded": ["process 1 of 2 does not serve"]}
    until(lambda: served.health() == degraded, seconds=SECONDS, what="the other to notice")
    until(served.is_whole, seconds=SECONDS, what="the process to be back")
    assert served.failed(served.metrics_port) == counted, "what it had counted stays in the sum"


class SlowUpstream(ThreadingHTTPServer):
    """Answers every request as soon as it is told to.

    Attributes:
        asked: how many requests wait for their answer, or had it.
        told: set to have all of them answered.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked = 0
        self.told = threading.Event()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.told.set()
        self.shutdown()
        self.server_close()


class _Answer(BaseHTTPRequestHandler):
    server: SlowUpstream

    def do_POST(self) -> None:
        """Answer when it is time."""
        self.server.asked += 1
        self.server.told.wait(SECONDS)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", f"{len(ANSWER)}")
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_a_stop_drains_all_processes_and_ends_them(tmp_path: Path) -> None:
    """A stop lets the open requests of every process end; then all have ended, with exit code 0."""
    with SlowUpstream() as upstream, serving(tmp_path, upstream.port) as gateway:
        pids = gateway.pids()
        with ThreadPoolExecutor(16) as pool:
            asked = [pool.submit(ask, gateway) for _ in range(16)]
            until(lambda: upstream.asked == 16, seconds=SECONDS, what="16 open requests")
            gateway.process.terminate()
            until(lambda: not gateway.health(), seconds=SECONDS, what="no new request to be taken")
            upstream.told.set()
            assert {each.result() for each in asked} == {200}
        assert gateway.process.wait(SECONDS) == 0
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

"""`gateway serve` with GATEWAY_PROCESSES=2: one port, one health, one set of metrics."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from gateway.config.problems import ConfigurationError
from gateway.config.settings import load_settings
from gateway.processes import serve
from support.stack import free_port
from support.wait import until

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 60
CONFIG = """
model_list:
  - model_name: nobody
    litellm_params: { model: openai/nobody, api_base: "http://127.0.0.1:9", api_key: none }
    model_info: { input_cost_per_token: 0, output_cost_per_token: 0 }
"""


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

    def failed(self, port: int) -> float:
        """Return how many requests the metrics on a port count as failed."""
        text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        found = re.findall(r'gateway_requests_total\{.*outcome="failed"\} (\S+)', text)
        return sum(map(float, found))

    def pids(self) -> list[int]:
        """Return the ids of the gateways, in the order of their numbers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()][:2]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Yield a gateway of two processes that serve."""
    with serving(tmp_path_factory.mktemp("served")) as gateway:
        yield gateway


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Run a gateway of two processes, until both serve."""
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    port, metrics_port = free_port(), free_port()
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
        until(gateway.is_whole, seconds=SECONDS, what="both processes to serve")
        yield gateway
    finally:
        process.kill()
        process.wait()


def test_both_processes_answer_and_their_metrics_are_one(served: Served) -> None:
    """New connections reach both processes, and the metrics count each failed request once."""
    url = f"http://127.0.0.1:{served.port}/v1/chat/completions"
    body = {"model": "nobody", "messages": [{"role": "user", "content": "Hallo"}]}
    for _ in range(40):
        assert requests.post(url, json=body, timeout=10).status_code >= 500

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


def test_it_stops_as_a_whole(tmp_path: Path) -> None:
    """A stop ends every process, with exit code 0."""
    with serving(tmp_path) as gateway:
        pids = gateway.pids()
        gateway.process.terminate()
        assert gateway.process.wait(SECONDS) == 0
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

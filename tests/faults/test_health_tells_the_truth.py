"""A health check goes red when its service is broken, and green again without a restart.

The checks come every 3 s here (quick-checks.yml). tests/unit/compose/test_policy.py holds the
numbers that are shipped against the same 30 s.
"""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
import requests

from support.stack import Stack
from support.wait import until

RED_SECONDS = 30
GREEN_SECONDS = 60


@pytest.fixture
def stopped_postgres(stack: Stack) -> Iterator[None]:
    """Stop Postgres for a test and start it again at the latest when the test ends."""
    stack.compose("stop", "postgres")
    yield
    stack.compose("start", "postgres")
    stack.wait_for("postgres", "healthy", seconds=GREEN_SECONDS)
    stack.wait_for("gateway", "healthy", seconds=GREEN_SECONDS)


def test_without_its_database_the_gateway_is_unhealthy_and_says_why(
    stack: Stack,
    stopped_postgres: None,  # noqa: ARG001 -- the fault itself
) -> None:
    """Stop Postgres: unhealthy within 30 s, and /health and status name the database."""
    stack.wait_for("gateway", "unhealthy", seconds=RED_SECONDS + 5)

    answer = requests.get(f"{stack.gateway_url}/health", timeout=10)
    assert answer.status_code == 503
    assert "database" in answer.text
    assert "database" in stack.run("status").stdout


def test_a_virtual_key_works_again_with_no_restart(stack: Stack, client: openai.OpenAI) -> None:
    """Postgres stops and starts: the same gateway process serves a virtual key again."""
    started = stack.inspect("gateway")["State"]["StartedAt"]
    stack.compose("stop", "postgres")
    stack.wait_for("gateway", "unhealthy", seconds=RED_SECONDS + 5)

    stack.compose("start", "postgres")

    stack.wait_for("gateway", "healthy", seconds=GREEN_SECONDS)
    answer = client.chat.completions.create(
        model="extraction-model", messages=[{"role": "user", "content": "Hallo"}], max_tokens=5
    )
    assert answer.choices
    assert stack.inspect("gateway")["State"]["StartedAt"] == started


@pytest.mark.parametrize(
    ("service", "process"),
    [
        ("postgres", "postgres"),
        ("ollama", "ollama serve"),
        ("gateway", "gateway serve"),
        ("backend-stub", "backend_stub"),
    ],
)
def test_a_hung_service_is_unhealthy(stack: Stack, service: str, process: str) -> None:
    """A process that lives but does not answer is red; when it answers again, it is green."""
    pid = process_of(stack, service, process)
    signal(stack, "STOP", pid)
    try:
        stack.wait_for(service, "unhealthy", seconds=2 * RED_SECONDS)
    finally:
        signal(stack, "CONT", pid)
    stack.wait_for(service, "healthy", seconds=GREEN_SECONDS)


def test_a_killed_gateway_comes_back(stack: Stack, client: openai.OpenAI) -> None:
    """SIGKILL: the engine restarts it and a virtual key works again."""
    before = stack.inspect("gateway")["State"]["Pid"]
    signal(stack, "KILL", process_of(stack, "gateway", "gateway serve"))

    until(
        lambda: stack.inspect("gateway")["State"]["Pid"] not in {0, before},
        seconds=GREEN_SECONDS,
        what="a new gateway process",
    )
    stack.wait_for("gateway", "healthy", seconds=GREEN_SECONDS)
    assert client.models.list().data


def process_of(stack: Stack, service: str, command: str) -> str:
    """Return the host's pid of a service's own process, whose command line holds `command`.

    It is the container's first process or, where that is the engine's own (`init: true`), a child
    of it. Not just the first that matches: its children (`postgres: checkpointer`) match too, and
    come before it when the machine's pids have wrapped around.
    """
    first = str(stack.inspect(service)["State"]["Pid"])
    listed = stack.command("docker", "top", stack.container(service), "-o", "pid,ppid,args").stdout
    processes = [line.split(maxsplit=2) for line in listed.splitlines()[1:]]
    for pid, parent, line in sorted(processes, key=lambda process: process[0] != first):
        if first in {pid, parent} and command in line and "docker-init" not in line:
            return pid
    raise AssertionError(f"no process of {service} is called {command}:\n{listed}")


def signal(stack: Stack, name: str, pid: str) -> None:
    """Send a signal from the host's side, as the kernel would.

    Not by `docker kill`: the engine takes that for the user's wish and restarts nothing.
    """
    stack.command(
        "docker", "run", "--rm", "--privileged", "--pid", "host",
        "litellm-proxy-service/tests:0.1.0", "kill", f"-{name}", pid,
    )  # fmt: skip


def test_with_the_gateway_down_the_backend_says_when_to_come_back(stack: Stack) -> None:
    """Gateway stopped: 503 with Retry-After and a reason, not a trace."""
    stack.compose("stop", "gateway")
    try:
        answer = requests.post(
            f"{stack.backend_url}/extract", json={"text": "Der Hund schläft."}, timeout=60
        )
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json()["error"]["message"]
    finally:
        stack.compose("start", "gateway")
        stack.wait_for("gateway", "healthy", seconds=GREEN_SECONDS)

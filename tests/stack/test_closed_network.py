"""The gateway makes no call of its own: it starts on a network without a way out."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from support.stack import Stack, image
from support.wait import until

# Listens as the network's name server, answers nothing, prints each name that it is asked for.
NAME_SERVER = r"""
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 53))
print("listening", flush=True)
while True:
    query, _ = server.recvfrom(512)
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    print("asked", ".".join(labels), flush=True)
"""


@pytest.fixture
def closed_network(stack: Stack) -> Iterator[str]:
    """Yield the name of an internal network that is removed at the end."""
    name = f"{stack.project}-closed-{secrets.token_hex(2)}"
    stack.command("docker", "network", "create", "--internal", name)
    yield name
    stack.command("docker", "network", "rm", name)


@pytest.fixture
def name_server(stack: Stack, closed_network: str) -> Iterator[str]:
    """Yield the name of a container that records every name it is asked for."""
    name = f"{closed_network}-dns"
    stack.command(
        "docker", "run", "--detach", "--rm", "--name", name, "--network", closed_network,
        "litellm-proxy-service/tests:0.1.0", "python", "-c", NAME_SERVER,
    )  # fmt: skip
    until(
        lambda: "listening" in stack.command("docker", "logs", name).stdout,
        seconds=30,
        what="the name server",
    )
    yield name
    stack.command("docker", "rm", "--force", name)


def test_it_becomes_healthy_and_asks_for_no_foreign_name(
    stack: Stack, closed_network: str, name_server: str
) -> None:
    """On that network, with any uid, it becomes healthy and looks up nothing but its own parts."""
    address = stack.command(
        "docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        name_server,
    ).stdout.strip()  # fmt: skip
    name = f"{closed_network}-gateway"
    stack.command(
        "docker", "run", "--detach", "--name", name, "--network", closed_network,
        "--dns", address, "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
        "--user", "54321:10000", "--env", "LITELLM_MASTER_KEY=sk-closed-network-0123456789",
        "--env", "OLLAMA_API_BASE=http://ollama:11434",
        "--volume", f"{stack.command('pwd').stdout.strip()}/litellm/litellm_config.yaml:"
        "/etc/litellm/litellm_config.yaml:ro",
        image("gateway"), "serve",
    )  # fmt: skip
    try:
        until(
            lambda: not stack.command("docker", "exec", name, "gateway", "health").returncode,
            seconds=60,
            what="the gateway to be healthy",
        )
        asked = {
            line.split()[1]
            for line in stack.command("docker", "logs", name_server).stdout.splitlines()
            if line.startswith("asked")
        }
        log = stack.command("docker", "logs", name)
    finally:
        stack.command("docker", "rm", "--force", name)

    assert asked <= {"ollama"}
    assert "Traceback" not in log.stdout + log.stderr

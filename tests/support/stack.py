"""A compose stack of the tests' own, driven from outside with the commands a user has."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString, Self

import psycopg
import requests
from psycopg.rows import dict_row

from support import engine
from support.wait import until

REPOSITORY = Path(__file__).resolve().parent.parent.parent
# Nobody listens there: `./run up` then does what it does behind a firewall, on every machine alike.
UNREACHABLE = "localhost:9"
MODEL = "smollm2:135m"
# Other stacks are busy at the same time; with an even share of the cores a word takes a minute.
MODEL_CPU_SHARES = "4096"
# On demand a test waits for its start, which else would wait for all the other stacks.
LITELLM_CPU_SHARES = "4096"
COMMAND_SECONDS = 900
LITELLM_SECONDS = 240
"""LiteLLM's start costs 12 s of a core, which it shares with all the other stacks."""


def image(name: str) -> str:
    """Return the name of one of the project's images, with the tag that compose takes."""
    return f"litellm-proxy-service/{name}:{os.environ.get('STACK_VERSION') or '0.1.0'}"


def free_port() -> int:
    """Return a TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Stack:
    """One compose project with its own name, ports and volumes.

    `environment` holds what a user would have in the shell; the checkout's own .env is not read, so
    that a developer's provider keys never reach a test. As a context manager it is destroyed at the
    end.
    """

    environment: dict[str, str] = field(default_factory=dict)
    project: str = field(default_factory=lambda: f"litellm-test-{secrets.token_hex(4)}")
    litellm_port: int = field(default_factory=free_port)
    backend_port: int = field(default_factory=free_port)
    _passwords: dict[str, str] = field(default_factory=dict)

    @classmethod
    def running(cls, project: str) -> Self:
        """Return the stack that a developer keeps up under that project name, on its own ports."""
        found = cls(project=project)
        found.litellm_port = found.published("gateway", 4000)
        found.backend_port = found.published("backend-stub", 8000)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.destroy()

    @property
    def shell(self) -> dict[str, str]:
        """Return the environment of every command on this stack."""
        return os.environ | {
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_ENV_FILES": "/dev/null",
            "COMPOSE_ANSI": "never",
            "COMPOSE_PROGRESS": "plain",
            "LITELLM_PORT": str(self.litellm_port),
            "BACKEND_PORT": str(self.backend_port),
            "OLLAMA_REGISTRY": UNREACHABLE,
            "OLLAMA_CPU_SHARES": MODEL_CPU_SHARES,
            "LITELLM_PROXY": "on-demand",  # its start costs 12 s of a core, and few tests need it
            "LITELLM_CPU_SHARES": LITELLM_CPU_SHARES,
            **self.environment,
        }

    @property
    def gateway_url(self) -> str:
        """Return the gateway's address on this machine."""
        return f"http://127.0.0.1:{self.litellm_port}"

    @property
    def backend_url(self) -> str:
        """Return the backend's address on this machine."""
        return f"http://127.0.0.1:{self.backend_port}"

    def command(
        self,
        *arguments: str,
        check: bool = True,
        stdin: str | None = None,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout with this stack's environment and the one given.

        Returns:
            The finished process with stdout and stderr as text.

        Raises:
            AssertionError: when `check` and the exit code is not 0; holds what was printed.
        """
        done = subprocess.run(
            arguments,
            cwd=REPOSITORY,
            env=self.shell | environment,
            capture_output=True,
            text=True,
            input=stdin if stdin is not None else "",
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
            )
        return done

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Call the project's ./run."""
        return self.command("./run", *arguments, **options)

    def compose(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Call docker compose on this project."""
        return self.command("docker", "compose", *arguments, **options)

    def published(self, service: str, port: int) -> int:
        """Return the port of this machine under which a service's port is published."""
        return int(self.compose("port", service, str(port)).stdout.rpartition(":")[2])

    def execute(self, service: str, *arguments: str, **options: Any) -> str:
        """Run a command inside a service's container and return its standard output."""
        container = self.container(service)
        interactive = ["--interactive"] if options.get("stdin") else []
        return str(
            self.command("docker", "exec", *interactive, container, *arguments, **options).stdout
        )

    def container(self, service: str) -> str:
        """Return the id of a service's container, running or not."""
        identity = self.containers().get(service)
        assert identity, f"{service} has no container"
        return identity

    def containers(self) -> dict[str, str]:
        """Return the id of each service's container, running or not."""
        return engine.containers(self.project)

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of a service's container."""
        return engine.inspect(self.container(service))

    def health(self, service: str) -> str:
        """Return "healthy", "unhealthy" or "starting"; a container that does not run: its state."""
        state = self.inspect(service)["State"]
        return str(state["Health"]["Status"] if state["Running"] else state["Status"])

    def wait_for(self, service: str, health: str, *, seconds: float) -> None:
        """Wait until a service has that health.

        Raises:
            AssertionError: after that many seconds, or at once when it died; with its log.
        """

        def alive() -> None:
            if self.health(service) in {"exited", "dead"} and health not in {"exited", "dead"}:
                raise RuntimeError(f"{service} died:\n{self.logs(service)}")

        try:
            until(
                lambda: self.health(service) == health,
                seconds=seconds,
                what=f"{service} to be {health}",
                alive=alive,
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs(service)}") from error

    def address(self, service: str, network: str = "default") -> str:
        """Return a container's address on one of the engine's bridge networks.

        Works where these are reachable from this process, as on Linux.
        """
        return self._address(self.inspect(service), network)

    def _address(self, inspected: dict[str, Any], network: str) -> str:
        networks = inspected["NetworkSettings"]["Networks"]
        return str(networks[f"{self.project}_{network}"]["IPAddress"])

    def memory_mb(self) -> float:
        """Return the resident memory of the gateway's processes in MB."""
        text = self.execute("gateway", "sh", "-c", "cat /proc/[0-9]*/status")
        lines = [line for line in text.splitlines() if line.startswith("VmRSS")]
        return sum(int(line.split()[1]) for line in lines) / 1e3

    def logs(self, *services: str) -> str:
        """Return what services wrote, the last 100 lines of each."""
        done = self.compose("logs", "--tail", "100", *services, check=False)
        return str(done.stdout + done.stderr)

    def secret(self, name: str) -> str:
        """Return a secret of the running gateway, e.g. "litellm_master_key"."""
        return self.execute("gateway", "cat", f"/run/gateway-secrets/{name}")

    def administer(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Call an API of LiteLLM's proxy with the master key; the first call starts the proxy.

        Returns:
            What it answered.

        Raises:
            ValueError: it refused, which holds what it said.
        """
        master = {"Authorization": f"Bearer {self.secret('litellm_master_key')}"}

        def answer() -> dict[str, Any] | None:
            url = f"{self.gateway_url}{path}"
            done = requests.request(method, url, headers=master, timeout=90, **options)
            if done.status_code == requests.codes.unavailable:
                return None  # it is starting
            if not done.ok:
                raise ValueError(done.text)
            told: dict[str, Any] = done.json()
            return told

        return until(answer, seconds=LITELLM_SECONDS, what=f"LiteLLM to answer {path}")

    def database(self) -> psycopg.Connection[dict[str, Any]]:
        """Return a connection as the gateway's role, straight to the container's address."""
        inspected = self.inspect("postgres")
        start = inspected["State"]["StartedAt"]  # Postgres reads the passwords when it starts
        if start not in self._passwords:
            password = self.execute("postgres", "cat", "/run/postgres-secrets/gateway_db_password")
            self._passwords[start] = password
        return psycopg.connect(
            host=self._address(inspected, "database"),
            dbname="litellm",
            user="gateway",
            password=self._passwords[start],
            connect_timeout=5,
            autocommit=True,
            row_factory=dict_row,
        )

    def sql(self, statement: LiteralString, *parameters: object) -> list[dict[str, Any]]:
        """Run one statement as the gateway's role and return its rows, if it has any."""
        with self.database() as connection:
            cursor = connection.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def destroy(self) -> None:
        """Remove the containers, networks and volumes of this project."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)

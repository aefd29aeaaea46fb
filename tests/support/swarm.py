"""A swarm whose nodes are engines in containers, and the stack that ./run swarm deploys on it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import requests

from support.scripted import FREE, SCRIPTED_PROVIDERS
from support.stack import REPOSITORY, image
from support.wait import until

IMAGES = ("gateway", "postgres", "backend-stub", "edge", "scripted-upstream")
"""What the nodes are given: all but Ollama's, whose label no node has."""

PORT = 4000
START_SECONDS = 60
COMMAND_SECONDS = 420
REQUEST_SECONDS = 30.0
CALLERS = 6
STALL = "rules: [{ name: slow, do: { stall: 1.0 } }]"
"""A script of the upstream: each answer takes a second, so that some are always under way."""


@dataclass
class Node:
    """A container with an engine of its own; as a context manager it is removed at the end.

    Its images and volumes, 2 GB, are in memory: to write and remove them on a disk takes a minute.
    """

    number: int
    network: str
    name: str = ""
    address: str = ""

    def __enter__(self) -> Self:
        self.name = f"{self.network}-{self.number}"
        run(
            *("docker", "run", "--detach", "--rm", "--privileged", "--name", self.name),
            *("--hostname", f"node{self.number}", "--network", self.network),
            *("--tmpfs", "/var/lib/docker:exec", image("swarm-node")),
        )
        address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        self.address = run("docker", "inspect", "--format", address, self.name).strip()
        until(
            lambda: self.docker("version", check=False),
            seconds=START_SECONDS,
            what=f"the engine of {self.name}",
        )
        return self

    def __exit__(self, *_: object) -> None:
        run("docker", "rm", "--force", "--volumes", self.name, check=False)

    def kill(self) -> None:
        """End the engine with all its containers at once, as a power failure does."""
        run("docker", "kill", self.name)

    @property
    def host(self) -> str:
        """Return what DOCKER_HOST has to be."""
        return f"tcp://{self.address}:2375"

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Call docker on this node."""
        return run("docker", "--host", self.host, *arguments, check=check)

    def load(self, *names: str) -> None:
        """Copy images of this project from the machine's engine."""
        saved = ["docker", "save", *(image(name) for name in names)]
        with subprocess.Popen(saved, stdout=subprocess.PIPE) as save:
            subprocess.run(
                ["docker", "--host", self.host, "load", "--quiet"],
                stdin=save.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )


@dataclass
class Swarm:
    """A stack on a swarm, driven with ./run from the checkout.

    `environment` holds what a user would have in the shell. The project has its usual name, since
    its images carry compose's labels with that name, and the nodes' engines have no other project.
    """

    manager: Node
    environment: dict[str, str] = field(default_factory=dict)
    project: str = "litellm-proxy"

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Call ./run with this swarm's environment and the one given, whatever its exit code."""
        return subprocess.run(
            ["./run", *arguments],
            cwd=REPOSITORY,
            env=os.environ
            | SCRIPTED_PROVIDERS
            | {
                "DOCKER_HOST": self.manager.host,
                "COMPOSE_PROJECT_NAME": self.project,
                "COMPOSE_ENV_FILES": "/dev/null",
                "SWARM_PORT": str(PORT),
                "LITELLM_PROXY": "on-demand",
            }
            | self.environment
            | environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def ok(self, *arguments: str, **environment: str) -> str:
        """Call ./run, which must succeed, and return its standard output."""
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, f"{arguments}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def services(self) -> dict[str, dict[str, Any]]:
        """Return what the swarm has been told of each service, by its name in the stack."""
        label = f"label=com.docker.stack.namespace={self.project}"
        ids = self.manager.docker("service", "ls", "--quiet", "--filter", label).split()
        if not ids:
            return {}
        found = json.loads(self.manager.docker("service", "inspect", *ids))
        return {each["Spec"]["Name"].removeprefix(f"{self.project}_"): each for each in found}

    def containers(self, service: str, node: Node | None = None) -> list[str]:
        """Return a service's running containers on a node."""
        label = f"label=com.docker.swarm.service.name={self.project}_{service}"
        return (node or self.manager).docker("ps", "--quiet", "--filter", label).split()

    def key(self) -> str:
        """Return the backend's virtual key, as `./run key` tells it."""
        told: dict[str, str] = json.loads(self.ok("key", "--json"))
        return told["api_key"]

    def play(self, script: str) -> None:
        """Put a script in force in the upstream."""
        (container,) = self.containers("scripted-upstream")
        put = "import sys, urllib.request as u; u.urlopen(u.Request("
        put += "'http://127.0.0.1:9000/_control/script', sys.argv[1].encode(), method='PUT'))"
        self.manager.docker("exec", container, "python", "-c", put, script)

    def ask(
        self,
        key: str,
        node: Node | None = None,
        **body: Any,
    ) -> requests.Response:
        """Ask a model one thing through a node's edge, the manager's by default."""
        message = {"role": "user", "content": "Hallo"}
        return requests.post(
            f"http://{(node or self.manager).address}:{PORT}/v1/chat/completions",
            json={"model": FREE, "messages": [message], **body},
            headers={"Authorization": f"Bearer {key}"},
            timeout=REQUEST_SECONDS,
        )


class Load:
    """Callers who ask one thing after another while the block runs."""

    def __init__(self, swarm: Swarm, key: str, nodes: Sequence[Node] = ()) -> None:
        self._swarm = swarm
        self._key = key
        self._ended = threading.Event()
        edges = [nodes[number % len(nodes)] if nodes else None for number in range(CALLERS)]
        self._threads = [threading.Thread(target=self._ask, args=(edge,)) for edge in edges]
        self.answered = 0
        self.lost: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        until(lambda: self.answered, seconds=REQUEST_SECONDS, what="a first answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, node: Node | None) -> None:
        while not self._ended.is_set():
            try:
                answer = self._swarm.ask(self._key, node)
                failure = "" if answer.ok else f"{answer.status_code} {answer.text[:200]}"
            except requests.RequestException as error:
                failure = repr(error)
            if failure:
                self.lost.append(failure)
                self._ended.wait(1)
            else:
                self.answered += 1


def build_images() -> None:
    """Build what `./run up` does not: the node, and the edge."""
    run("docker", "build", "--quiet", "--tag", image("swarm-node"), "tests/swarm/node")
    run("docker", "build", "--quiet", "--tag", image("edge"), "edge")


def network() -> Iterator[str]:
    """Yield a network of the tests' own; removed at the end."""
    name = f"swarm-test-{secrets.token_hex(4)}"
    run("docker", "network", "create", name)
    yield name
    run("docker", "network", "rm", name, check=False)


def run(*arguments: str, check: bool = True) -> str:
    """Run a command in the checkout and return its standard output; "" if it failed unchecked."""
    done = subprocess.run(
        arguments, cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=False
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)}:\n{done.stdout}\n{done.stderr}")
    return done.stdout if done.returncode == 0 else ""


def seconds_since(started: float) -> str:
    """Return how long something took, for a line of the summary."""
    return f"{time.monotonic() - started:.0f} s"

"""Where a benchmark takes place: a stack, and on its network the load and the upstream.

Everything that is compared runs in containers on that one network, so that a request takes the same
way to each.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import images
from bench.load.upstream import Upstream
from support.stack import Stack, free_port
from support.wait import until

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 9000
PROVIDER = {
    "OPENAI_API_KEY": "sk-upstream-0123456789",
    "OPENAI_API_BASE": f"http://upstream:{PORT}/v1",
    "OLLAMA_REPLICAS": "0",
    "EXTRACTION_FALLBACKS": "none",
    "EXPLANATION_FALLBACKS": "none",
}
"""The stack's settings: its one provider is the upstream."""

EVERYTHING_ON = {
    "LITELLM_PROXY": "always",
    "LITELLM_CPU_SHARES": "256",  # the default; the tests' own stacks have another
    "COMPOSE_PROFILES": "observability",
    "BACKEND_BUDGET": "1000",
}
"""What a user has on, and the tests' stacks have not."""


CPU_SHARES = ("--cpu-shares", "4096")
"""The share of busy cores that docker-compose.yml gives the gateway: each alternative's, too."""


@dataclass
class Site:
    """A stack, and further containers.

    Attributes:
        load: the container that asks.
        upstream: the provider, which every alternative calls `upstream`.
    """

    stack: Stack
    tools: str
    load: str = ""
    upstream: Upstream = field(default_factory=lambda: Upstream(""))
    started: list[str] = field(default_factory=list)

    def run(self, name: str, image: str, *arguments: str, command: tuple[str, ...] = ()) -> str:
        """Start a container on the stack's network, known there by its name; return its id."""
        done = self.stack.command(
            *("docker", "run", "--detach", "--init", "--name", f"{self.stack.project}-{name}"),
            *("--network", f"{self.stack.project}_default", "--network-alias", name),
            *(*arguments, image, *command),
        )
        container = done.stdout.strip()
        self.started.append(container)
        return container

    def address(self, container: str) -> str:
        """Return a container's address on the stack's network."""
        inspected = json.loads(self.stack.command("docker", "inspect", container).stdout)[0]
        networks = inspected["NetworkSettings"]["Networks"]
        return str(networks[f"{self.stack.project}_default"]["IPAddress"])

    def log(self, container: str) -> str:
        """Return the end of what a container wrote."""
        done = self.stack.command("docker", "logs", "--tail", "40", container, check=False)
        return done.stdout + done.stderr

    def must_run(self, container: str) -> None:
        """Raise with its log when a container no longer runs."""
        state = ("docker", "inspect", "--format", "{{.State.Running}}", container)
        if self.stack.command(*state).stdout.strip() != "true":
            raise RuntimeError(f"a container died:\n{self.log(container)}")

    def begin(self) -> None:
        """Make the network, the upstream and the load."""
        # Compose makes the networks with the first service that is created.
        self.stack.compose("create", "--no-build", "gateway")
        upstream = self.run(
            "upstream", self.tools, "--entrypoint", "bench-tool", command=("upstream", f":{PORT}")
        )
        self.upstream = Upstream(f"http://{self.address(upstream)}:{PORT}")
        until(lambda: self.upstream.calls() == 0, seconds=30, what="the upstream")
        self.load = self.run("load", self.tools, command=("sleep", "infinity"))

    def end(self) -> None:
        """Remove everything."""
        if self.started:
            # A paused container cannot be removed but by force.
            self.stack.command("docker", "rm", "--force", "--volumes", *self.started, check=False)
        self.stack.destroy()


@contextmanager
def site(environment: dict[str, str] | None = None) -> Iterator[Site]:
    """Yield a site with its stack not yet started; all is removed at the end.

    Args:
        environment: settings of the stack besides those of its provider.
    """
    settings = EVERYTHING_ON | PROVIDER | {"PROMETHEUS_PORT": str(free_port())}
    made = Site(Stack(settings | (environment or {})), images.build("tools"))
    try:
        made.begin()
        yield made
    finally:
        made.end()

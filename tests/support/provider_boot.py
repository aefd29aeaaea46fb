"""A gateway booted from one of providers/*.env, its provider played by the scripted upstream."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import openai
import requests
import yaml

from support.provider_files import PROVIDER_FILES, active
from support.provider_wire import WIRES, Wire
from support.stack import REPOSITORY, Stack

SERVICES = ("backend-stub", "gateway", "ollama", "postgres", "scripted-upstream")
SECONDS = 60


@dataclass(frozen=True)
class Boot:
    """A stack that answers through one provider.

    Attributes:
        name: of the provider's file.
        stack: the running stack.
        client: the official client with the backend's virtual key.
        control: the upstream's address for scripts and journal.
        seconds: from `docker compose up` until the backend was healthy.
        remade: the services whose containers the switch made again.
    """

    name: str
    stack: Stack
    client: openai.OpenAI
    control: str
    seconds: float
    remade: frozenset[str]

    @property
    def wire(self) -> Wire:
        """What has to leave the gateway."""
        return WIRES[self.name]

    @property
    def alias(self) -> str:
        """The alias that the file lets the backend ask for extraction."""
        return active(self.name)["LITELLM_EXTRACTION_MODEL"]

    def play(self, **script: Any) -> None:
        """Put a script in force in the upstream, which lists the provider's model.

        The journal is empty then.
        """
        script = {"models": [self.wire.model], **script}
        requests.post(f"{self.control}/reset", timeout=SECONDS).raise_for_status()
        answer = requests.put(
            f"{self.control}/script", data=yaml.safe_dump(script), timeout=SECONDS
        )
        assert answer.ok, answer.text

    def journal(self) -> list[dict[str, Any]]:
        """Return the requests that cost tokens since the last script, oldest first."""
        found: list[dict[str, Any]] = requests.get(
            f"{self.control}/journal", params={"method": "POST"}, timeout=SECONDS
        ).json()["requests"]
        return found

    def asked(self) -> dict[str, Any]:
        """Return the only request since the last script."""
        (entry,) = self.journal()
        return entry


def switch(stack: Stack, name: str) -> tuple[float, frozenset[str]]:
    """Start a stack from a provider's file alone and what a user puts into it.

    Returns:
        The seconds until the backend was healthy, and the services made again.
    """
    before = stack.containers()
    started = time.monotonic()
    stack.compose(
        "up", "--detach", "--no-build",
        COMPOSE_ENV_FILES=str(PROVIDER_FILES[name].relative_to(REPOSITORY)),
        **WIRES[name].given,
    )  # fmt: skip
    stack.wait_for("backend-stub", "healthy", seconds=SECONDS)
    seconds = time.monotonic() - started
    stack.wait_for("scripted-upstream", "healthy", seconds=SECONDS)
    after = stack.containers()
    return seconds, frozenset(
        service for service in SERVICES if before.get(service) != after.get(service)
    )

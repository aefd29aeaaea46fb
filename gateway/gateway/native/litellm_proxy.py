"""LiteLLM's proxy for a gateway without a container: a child process starts it on demand.

The gateway may take this process's place (`os.execve`), so no parent may be left to end the child.
The child therefore reads a pipe that the gateway's process holds open. However the gateway ends,
the pipe closes, and LiteLLM ends too.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 40.0
"""LiteLLM itself has 30 s."""


def connected(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the gateway's environment with what it and LiteLLM's proxy need to find each other.

    Without a master key, one is made up for this start: any page that a browser on this machine
    shows could else ask LiteLLM's own port.
    """
    front, internal = _free_ports(2)
    added = {
        "LITELLM_PROXY": environment.get("LITELLM_PROXY", "on-demand"),
        "LITELLM_PROXY_URL": f"http://{LOOPBACK}:{front}",
        "INTERNAL_HOST": LOOPBACK,
        "INTERNAL_PORT": f"{internal}",
        "GATEWAY_INTERNAL_URL": f"http://{LOOPBACK}:{internal}/v1",
    }
    if not (environment.get("LITELLM_MASTER_KEY") or environment.get("LITELLM_MASTER_KEY_FILE")):
        added["GATEWAY_INTERNAL_KEY"] = f"sk-{secrets.token_urlsafe(32)}"
    return {**environment, **added}


@dataclass
class LiteLLMProxy:
    """The child.

    Attributes:
        process: `gateway litellm`.
        lifeline: the descriptor whose end ends it.
    """

    process: subprocess.Popen[bytes]
    lifeline: int

    def outlive_exec(self) -> None:
        """Let the program that takes this one's place keep it running."""
        os.set_inheritable(self.lifeline, True)  # noqa: FBT003 -- takes no keyword

    def stop(self) -> None:
        """End it, and wait until it has."""
        os.close(self.lifeline)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(environment: Mapping[str, str], state: Path) -> LiteLLMProxy:
    """Start it.

    Args:
        environment: the gateway's, `connected`.
        state: a folder; only this start writes there.
    """
    port = environment["LITELLM_PROXY_URL"].rpartition(":")[2]
    own = {"HOST": LOOPBACK, "PORT": port, "GATEWAY_STATE_DIR": str(state / port)}
    read, write = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "litellm", "--until-eof"],
            env={**environment, **own},
            stdin=read,
            start_new_session=True,  # Ctrl-C in a terminal is the gateway's
        )
    except OSError:
        os.close(write)
        raise
    finally:
        os.close(read)
    return LiteLLMProxy(process, write)


def _free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody has; all are held until each is found."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]

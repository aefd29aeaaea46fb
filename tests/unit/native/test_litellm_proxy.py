"""LiteLLM's proxy with a native gateway: both find each other, and the proxy never outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import gateway
from gateway.native import litellm_proxy

PACKAGE = str(Path(gateway.__file__).parent.parent)
"""Where a child process finds the package, installed or not."""

# What a gateway does that takes the place of the native start, and is then killed.
EXEC = """
import os, sys
from pathlib import Path
from gateway.native import litellm_proxy
proxy = litellm_proxy.start(litellm_proxy.connected(dict(os.environ)), Path(sys.argv[1]))
proxy.outlive_exec()
print(proxy.process.pid, flush=True)
os.execv("/bin/sleep", ["sleep", "60"])
"""


def test_the_two_find_each_other() -> None:
    """The gateway listens where LiteLLM asks, and it runs on demand unless told else."""
    found = litellm_proxy.connected({"LITELLM_MASTER_KEY": "sk-mine"})

    assert found["GATEWAY_INTERNAL_URL"] == f"http://127.0.0.1:{found['INTERNAL_PORT']}/v1"
    assert found["LITELLM_PROXY_URL"] != f"http://127.0.0.1:{found['INTERNAL_PORT']}"
    assert found["LITELLM_PROXY"] == "on-demand"
    assert litellm_proxy.connected({"LITELLM_PROXY": "always"})["LITELLM_PROXY"] == "always"


def test_without_a_master_key_each_start_makes_one() -> None:
    """It differs each time; with a master key there is none."""
    first, second = (litellm_proxy.connected({})["GATEWAY_INTERNAL_KEY"] for _ in range(2))

    assert first != second
    assert "GATEWAY_INTERNAL_KEY" not in litellm_proxy.connected({"LITELLM_MASTER_KEY": "sk-mine"})
    assert "GATEWAY_INTERNAL_KEY" not in litellm_proxy.connected(
        {"LITELLM_MASTER_KEY_FILE": "/file"}
    )


def test_it_ends_when_it_is_reported(tmp_path: Path) -> None:
    """Stopping waits until it has ended, which is not a failure."""
    proxy = litellm_proxy.start(
        litellm_proxy.connected({**os.environ, "PYTHONPATH": PACKAGE}), tmp_path
    )

    proxy.stop()

    assert proxy.process.returncode == 0


def test_it_ends_with_a_gateway_that_is_killed(tmp_path: Path) -> None:
    """Also when the gateway took the native start's place, and had no time to end anything."""
    killed = subprocess.Popen(
        [sys.executable, "-c", EXEC, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": PACKAGE},
    )
    assert killed.stdout is not None
    child = int(killed.stdout.readline())
    descriptor = os.pidfd_open(child) if hasattr(os, "pidfd_open") else None
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    if descriptor is None:
        pytest.skip("this system has no handles of processes")
    import select

    ended, _, _ = select.select([descriptor], [], [], 60)
    os.close(descriptor)
    assert ended

"""The machine and the versions that a measurement was made with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

GIGABYTE = 1e9


def machine() -> dict[str, str]:
    """Return processor, memory and system, in words."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {
        "processor": cpu.group(1).strip() if cpu else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{int(memory.group(1)) * 1024 / GIGABYTE:.0f} GB" if memory else "unknown",
        "kernel": platform.release().partition("-")[0],
        "engine": _output("docker", "version", "--format", "{{.Server.Version}}") or "unknown",
    }


def commit() -> str:
    """Return the checkout's commit, with + when files differ from it.

    Changed records of benches do not count: no measurement depends on them, and a bench that was
    recorded a moment ago has left one.
    """
    others = (":/", ":(top,exclude)docs/performance*")
    changed = _output("git", "status", "--porcelain", "--untracked-files=no", "--", *others)
    return (_output("git", "rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def load_average() -> float:
    """Return how many processes wanted to run, on average over the last minute."""
    return os.getloadavg()[0]


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()

"""How many cores this process may use, and how many gateways they are enough for."""

from __future__ import annotations

import os
from pathlib import Path

CORES_EACH = 1.6
"""The cores that a busy gateway needs with its applier and its part of PostgreSQL.

docs/performance.md: with 16 and 64 requests at once, a request took 0.94 and 0.95 ms of the
gateway's container, of which 0.1 are the applier's, and 1.55 and 1.24 ms of the whole stack.
"""

MOST = 6
"""What the bundled PostgreSQL has connections for, beside one more gateway during an update."""

CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def processes_for(cores: float) -> int:
    """Return how many gateways a machine with so many cores keeps busy."""
    return min(MOST, max(1, int(cores / CORES_EACH)))


def usable_cores(limit: Path = CGROUP_LIMIT) -> float:
    """Return how many cores this process may use, by its affinity and its container's limit.

    Args:
        limit: the file with the container's limit, as cgroup v2 has it.
    """
    try:
        found = float(len(os.sched_getaffinity(0)))
    except AttributeError:  # not Linux
        found = float(os.cpu_count() or 1)
    try:
        quota, period = limit.read_text(encoding="ascii").split()
        return min(found, int(quota) / int(period))
    except (OSError, ValueError):  # no cgroup v2, or "max": no limit
        return found

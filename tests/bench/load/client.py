"""One burst of load: what is asked, and what was seen of the answers."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, field
from typing import Any

SPARE_SECONDS = 180
"""For answers that are still on their way when the time is over."""


@dataclass(frozen=True)
class Spec:
    """What to ask; the fields are those of tool/load.go."""

    url: str
    keys: list[str]
    bodies: list[str]
    connections: int
    seconds: float
    warm_seconds: float = 0.5
    stream: bool = False
    requests: int = 0
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What became of it.

    Attributes:
        answers: whole ones, also of the seconds before the measurement began.
        failures: how many answers were none, by what they were instead.
        rate: answers a second that ended within the measured time.
    """

    answers: int
    failures: dict[str, int]
    failure: str
    rate: float
    whole_ms: dict[str, float]
    first_token_ms: dict[str, float]
    gap_ms: dict[str, float]
    chunks: int
    client_cpu_seconds: float
    elapsed_seconds: float


def run(container: str, spec: Spec) -> Seen:
    """Ask from inside a container that has the tool.

    Raises:
        RuntimeError: when the tool itself fails.
    """
    done = subprocess.run(
        ["docker", "exec", "--interactive", container, "bench-tool", "load"],
        input=json.dumps(asdict(spec)),
        capture_output=True,
        text=True,
        timeout=spec.warm_seconds + spec.seconds + SPARE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the load could not be made: {done.stderr[-500:]}")
    seen: dict[str, Any] = json.loads(done.stdout)
    return Seen(**seen)

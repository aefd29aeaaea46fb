"""The images that only benchmarks need; see the Dockerfile next to this."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.stack import image

HERE = Path(__file__).resolve().parent


def build(target: str) -> str:
    """Build one of the Dockerfile's targets, from the cache when it is there; return its name.

    Raises:
        RuntimeError: with the end of the build's output.
    """
    name = image(f"bench-{target}")
    done = subprocess.run(
        [
            *("docker", "build", "--quiet", "--tag", name, "--target", target),
            *("--build-arg", f"TESTS_IMAGE={image('tests')}"),
            *("--build-arg", f"GATEWAY_IMAGE={image('gateway')}"),
            str(HERE),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{name} could not be built:\n{done.stderr[-2000:]}")
    return name

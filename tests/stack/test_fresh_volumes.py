"""The first start, often: a database volume that has nothing gets all migrations."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.long import rounds
from support.stack import Stack

pytestmark = pytest.mark.long

MIGRATIONS = 220
FRESH_VOLUMES = rounds(2, long=20)


def test_fresh_volumes_are_migrated_without_a_failure(
    make_stack: Callable[..., Stack],
) -> None:
    """Each new database volume gets all migrations, two projects at a time."""

    def one(stack: Stack) -> str:
        done = stack.compose("run", "--rm", "--no-TTY", "migrate")
        stack.destroy()
        return str(done.stdout + done.stderr)

    with ThreadPoolExecutor(2) as pool:
        outputs = list(pool.map(one, [make_stack() for _ in range(FRESH_VOLUMES)]))

    assert len(outputs) == FRESH_VOLUMES
    assert all(f"{MIGRATIONS} migrations" in output for output in outputs)

"""Waiting with a bound, and never longer than there is something to wait for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(
    probe: Callable[[], T | None],
    *,
    seconds: float,
    what: str,
    alive: Callable[[], None] | None = None,
) -> T:
    """Poll until the probe returns something true.

    Args:
        probe: what to ask; an AssertionError or OSError that it raises counts as "not yet".
        seconds: the bound.
        what: what is being waited for, for the error.
        alive: raises when there is nothing left to wait for, e.g. because a container died.

    Returns:
        The probe's first true value.

    Raises:
        AssertionError: when the bound is over; holds the last thing seen.
    """
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        if alive is not None:
            alive()
        try:
            value = probe()
        except (AssertionError, OSError) as error:
            last = error
        else:
            if value:
                return value
            last = value
        time.sleep(0.2)
    raise AssertionError(f"after {seconds} s still waiting for {what}; last seen: {last!r}")

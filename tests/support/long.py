"""How often a test repeats itself: a short round each time, the long one by `./run test --long`."""

from __future__ import annotations

import os

LONG = bool(os.environ.get("TEST_LONG"))


def rounds(short: int, *, long: int) -> int:
    """Return how often this run repeats something."""
    return long if LONG else short

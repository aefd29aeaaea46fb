"""Runs the gateway as a child that a Ctrl-C in the terminal does not reach at once.

The terminal sends Ctrl-C to every process in the foreground: an embedded PostgreSQL would end
before the gateway has applied its last costs. The child gets a session of its own, and one SIGTERM.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_gateway(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run `gateway ARGUMENTS` to its end and return its exit code.

    The first Ctrl-C lets it finish, which takes as long as its open requests; a second one ends it.
    """
    child: subprocess.Popen[bytes] | None = None
    asked = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if child is not None:
            again = asked and number == signal.SIGINT
            child.send_signal(signal.SIGKILL if again else signal.SIGTERM)
        asked = True

    before = {number: signal.signal(number, stop) for number in FORWARDED}
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "gateway", *arguments],
            env=dict(environment),
            start_new_session=True,
        )
        if asked:  # between the two lines above
            child.send_signal(signal.SIGTERM)
        return _exit_code(child.wait())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_code(code: int) -> int:
    """Return the exit code; ending on the SIGTERM that was sent is a success."""
    return 0 if code == -signal.SIGTERM else abs(code)

"""Records tests/support/version-0.1: `PYTHONPATH=. python -m support.record_version_01` in tests/.

The backup is 0.1's own, of a moment when costs waited in its journal and the gateway had just been
killed; the result is what 0.1 then made of that itself.
"""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

from support import recorded
from support import version_01 as old
from support.kept_data import booked, result
from support.stack import REPOSITORY, Stack
from support.wait import until


def save_at_work(stack: Stack, file: Path) -> list[str]:
    """Write a backup, as 0.1 does it, compressed, while costs of answers cannot be booked.

    Returns:
        The ids of these answers; the gateway was killed amid them.
    """
    with stack.database() as connection, connection.transaction():
        # Readers pass, writers wait: what is answered now stays in the journal.
        connection.execute('LOCK TABLE "LiteLLM_SpendLogs" IN SHARE MODE')
        waiting = old.ids(old.each_kind(stack)) + old.kill_at_work(stack)
        notes, records = old.lines_left(stack)
        assert notes - records, "each note has its record"
        done = subprocess.run(
            [*old.compose_command(), "run", "--rm", "--no-deps", "--no-TTY", "backup"],
            cwd=REPOSITORY,
            env=stack.shell | {"STACK_VERSION": old.TAG},
            capture_output=True,
            check=True,
        )
        file.write_bytes(gzip.compress(done.stdout, 9, mtime=0))
    return waiting


def main() -> None:
    """Record."""
    old.build()
    old.RECORDED.mkdir(exist_ok=True)
    with old.stack() as running:
        old.start(running)
        answered = old.fill(running)
        waiting = save_at_work(running, old.BACKUP)
        old.compose(running, "start", old.GATEWAY)
        until(lambda: booked(running, waiting), seconds=60, what="what was left to be booked")
        found = {"answered": answered + waiting, **result(running)}
        recorded.write(old.RESULT, found)


if __name__ == "__main__":
    main()

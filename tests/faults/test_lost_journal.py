"""A machine that never returns: what its journal holds is brought in by hand, once."""

from __future__ import annotations

import re
from pathlib import Path

from support.scripted import PRICED, ask, play
from support.spending import make_payer, read_books
from support.stack import Stack
from support.wait import until

UNBOOKED = 5
SECONDS = 60
JOURNAL = "/var/lib/gateway-journal"
NAMED = "and its journal is not here"


def test_a_lost_journal_is_named_and_imported_once(spending: Stack, tmp_path: Path) -> None:
    """Costs of a gateway that vanished with its volume are named, imported, and counted once."""
    payer = make_payer(spending, "lost")
    play(spending, {})
    first = ask(spending, payer.secret, PRICED)
    assert first.ok, first.text
    until(lambda: len(read_books(spending, payer).rows) == 1, seconds=SECONDS, what="a row")
    spending.compose("stop", "postgres")
    try:
        answers = [ask(spending, payer.secret, PRICED) for _ in range(UNBOOKED)]
        assert all(answer.ok for answer in answers)
        gateway = spending.container("gateway")
        spending.command("docker", "kill", gateway)
        spending.command("docker", "cp", f"{gateway}:{JOURNAL}", str(tmp_path / "lost"))
        wipe = ("run", "--rm", "--no-deps", "--entrypoint", "sh", "gateway", "-c")
        spending.compose(*wipe, f"rm -rf {JOURNAL}/*")
    finally:
        spending.compose("start", "postgres")
        spending.compose("up", "--detach", "--no-build", "--wait", "gateway")
    assert len(read_books(spending, payer).rows) == 1
    until(lambda: NAMED in spending.run("status").stdout, seconds=SECONDS, what="status to say it")

    said = spending.run("journal", "import", str(tmp_path / "lost")).stdout

    new = sum(int(found) for found in re.findall(r"records, (\d+) of them new", said))
    books = read_books(spending, payer)
    assert new >= UNBOOKED, said
    assert len(books.rows) == 1 + UNBOOKED
    for total in books.totals.values():
        assert abs(total - books.spent) < 1e-9
    assert NAMED not in spending.run("status").stdout
    again = spending.run("journal", "import", str(tmp_path / "lost")).stdout
    assert re.findall(r"records, (\d+) of them new", again).count("0") == again.count("of them new")
    assert len(read_books(spending, payer).rows) == 1 + UNBOOKED

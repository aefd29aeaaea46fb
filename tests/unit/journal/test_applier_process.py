"""The applier as a process: it lives with its gateway, and dies with it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.journal import applier_process, spend_journal
from gateway.journal.folder import claim, claim_left_behind
from gateway.journal.make_records import records_of
from gateway.journal.messages import Progress, Task, encoded, progress
from gateway.journal.place import Place, store_place
from gateway.journal.spend_journal import SpendJournal
from support.wait import until
from unit.journal.requests_made import attempt, record, request, written

NOBODY = "postgresql://gateway:secret-password@127.0.0.1:9/litellm"
"""A database that is never there."""

GATEWAY = """
import asyncio, sys
from pathlib import Path
from gateway.journal.spend_journal import SpendJournal

async def main():
    journal = SpendJournal(Path(sys.argv[1]), 8, sys.argv[2], sync=False)
    await journal.start()
    journal.begin_to_apply()
    while journal._applier.pid is None:
        await asyncio.sleep(0.01)
    print(journal._applier.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less, as no database comes."""
    monkeypatch.setattr(spend_journal, "CATCH_UP_SECONDS", 0.1)
    monkeypatch.setattr(spend_journal, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(applier_process, "FIRST_PAUSE", 0.01)


async def soon(probe: Callable[[], object], what: str) -> None:
    """Wait until a probe is true, and let the event loop go on."""

    async def poll() -> None:
        while not probe():  # noqa: ASYNC110 -- another process has no event to set
            await asyncio.sleep(0.02)

    try:
        await asyncio.wait_for(poll(), 30)
    except asyncio.TimeoutError as error:
        raise AssertionError(f"still waiting for {what}") from error


@asynccontextmanager
async def running(root: Path) -> AsyncIterator[SpendJournal]:
    """Yield a journal with one record, whose applier finds no database."""
    journal = SpendJournal(root, 8, NOBODY, sync=False)
    await journal.start()
    for each in records_of(request(attempt())):
        journal.append(each)
    await soon(lambda: journal._applier.pid is not None, "the applier")
    yield journal
    await journal.close()


def is_alive(pid: int) -> bool:
    """Return whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_without_a_database_costs_wait_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While no database answers, costs wait, and the log says so once and without a password."""
    caplog.set_level(logging.INFO)

    async with running(tmp_path) as journal:
        await soon(lambda: "waits for the database" in caplog.text, "the applier's word")
        state = journal.state()
        assert state.waiting_records == 1
        assert state.waiting_bytes > 500
        assert state.oldest_waiting_seconds > 0
        assert state.stopped_because is None
        assert journal.reasons() == []
    assert caplog.text.count("waits for the database") == 1
    assert "secret-password" not in caplog.text


def test_an_applier_starts_when_there_is_something_for_it(tmp_path: Path) -> None:
    """The applier starts with the first record, or at once if an earlier gateway left some."""

    async def run(*, is_left: bool, writes: bool = False) -> None:
        journal = SpendJournal(tmp_path, 8, NOBODY, sync=False)
        await journal.start()
        assert (journal._applier.pid is not None) is is_left
        if writes:
            journal.append(record(1))
            await soon(lambda: journal._applier.pid is not None, "the applier")
        await journal.close()

    asyncio.run(run(is_left=False))
    asyncio.run(run(is_left=False, writes=True))
    asyncio.run(run(is_left=True))
    newest = max((tmp_path / "1").glob("*.journal"))
    store_place(newest.parent, Place(int(newest.stem), newest.stat().st_size))
    asyncio.run(run(is_left=False))


async def test_a_record_just_before_the_end_is_not_forgotten(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A record that is appended just before the journal closes still gets an applier."""
    caplog.set_level(logging.INFO)
    journal = SpendJournal(tmp_path, 8, NOBODY, sync=False)
    await journal.start()
    journal.append(record(1))
    await journal.close()
    assert "waits for the database" in caplog.text


def test_a_busy_gateway_gathers_more_records_for_a_transaction() -> None:
    """Above 200 costs a second, a transaction gathers those of a second instead of a tenth."""
    assert spend_journal.linger(19, 0.1) == spend_journal.linger(199, 1.0) == 0.1
    assert spend_journal.linger(21, 0.1) == spend_journal.linger(201, 1.0) == 1.0
    assert spend_journal.linger(1, 3600.0) == 0.1


async def test_an_applier_that_dies_is_started_again(tmp_path: Path) -> None:
    """An applier that is killed is replaced by another one."""
    async with running(tmp_path) as journal:
        first = journal._applier.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await soon(lambda: journal._applier.pid not in (None, first), "another applier")


def test_an_applier_ends_with_its_gateway(tmp_path: Path) -> None:
    """The applier ends by itself when its gateway is killed."""
    gateway = subprocess.Popen(
        [sys.executable, "-c", GATEWAY, str(tmp_path), NOBODY],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    with gateway:
        assert gateway.stdout is not None
        pid = int(gateway.stdout.readline())
        assert is_alive(pid)
        gateway.kill()
    until(lambda: not is_alive(pid), seconds=30, what="the applier to end")


async def test_the_password_of_the_database_is_no_argument(tmp_path: Path) -> None:
    """The database's password is not among the applier's arguments, which any user can read."""
    async with running(tmp_path) as journal:
        pid = journal._applier.pid
        assert pid is not None
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()  # noqa: ASYNC240 -- no disk
    assert b"secret-password" not in arguments
    assert "secret-password" not in repr(Task(NOBODY, "/", Place(1, 0)))


def test_folders_of_gateways_that_are_gone_are_held_until_they_are_empty(tmp_path: Path) -> None:
    """A gateway holds folders with records that others left, but no empty or held ones."""
    (tmp_path / "3").mkdir()
    written(tmp_path / "3", [record(1)])
    (tmp_path / "4").mkdir()
    held = claim(tmp_path)

    async def run() -> None:
        async with running(tmp_path) as journal:
            assert [Path(name).name for name in journal._left] == ["3"]
            others = claim_left_behind(tmp_path)
            assert [each.path.name for each in others] == ["4"]
            others[0].release()

    asyncio.run(run())
    held.release()


def test_messages_come_back_as_they_were() -> None:
    """A message from the applier is a single line and is read back as it was."""
    for message in (Progress(place=Place(3, 4), records=2), Progress(level=20, text="ä\n")):
        line = encoded(message)
        assert line.count(b"\n") == 1
        assert progress(line) == message


async def test_a_predecessor_whose_costs_come_late_is_reported_as_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that did not wait for its predecessor's costs reports it as gone once they are in."""
    monkeypatch.setattr(spend_journal, "CATCH_UP_SECONDS", 0.01)
    monkeypatch.setattr(spend_journal, "STOP_SECONDS", 0.0)
    killed = SpendJournal(tmp_path, 8, NOBODY, sync=False)
    killed._journal.append(record(1).encoded())
    killed._journal.close()
    killed._claim.release()
    gone: list[str] = []
    journal = SpendJournal(tmp_path, 8, NOBODY, sync=False)
    journal.on_taken_over = gone.append

    await journal.start()
    assert (journal.predecessor, gone) == ("", [])
    for _ in range(2):
        journal._take(Progress(is_idle=True))

    assert gone == [killed.journal_id]
    await journal.close()

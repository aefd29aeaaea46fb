"""The background's schedule, without a database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

import pytest

from gateway.config.settings import Settings, load_settings
from gateway.jobs import jobs as jobs_module
from gateway.jobs.backend_key import BackendKey
from gateway.jobs.jobs import Jobs


def settings(**variables: str) -> Settings:
    """Return settings with a backend key."""
    return load_settings({"BACKEND_VIRTUAL_KEY": "sk-backend-0123456789", **variables})


@pytest.fixture
def closed_url() -> str:
    """Give the URL of a database that is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"postgresql://nobody:secret@127.0.0.1:{port}/none"


def run(jobs: Jobs, until: Callable[[], bool]) -> None:
    """Run jobs until something holds."""

    async def go() -> None:
        await jobs.start()
        for _ in range(2000):
            if until():
                break
            await asyncio.sleep(0.005)
        await jobs.close()
        assert until()

    asyncio.run(go())


def test_a_database_that_is_away_is_waited_for(
    closed_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The health is red with a reason, the log says it once, and nothing ends."""
    monkeypatch.setattr(jobs_module, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(jobs_module, "MAX_WAIT", 0.01)
    jobs = Jobs(settings(), closed_url, ["extraction-model"])
    assert jobs.reasons() == ["the backend's virtual key is not set up: not written yet"]

    with caplog.at_level(logging.INFO):
        run(jobs, lambda: len(caplog.messages) >= 2)

    assert "refused" in jobs.reasons()[0]
    assert sorted(line.split(":")[0] for line in caplog.messages) == [
        "backend key",
        "budget resets",
    ]
    assert "secret" not in caplog.text


def test_without_a_backend_key_nothing_is_missing(closed_url: str) -> None:
    """A native start may have none."""
    jobs = Jobs(load_settings({}), closed_url)

    assert jobs.reasons() == []


def test_a_period_that_no_budget_has_is_named(
    monkeypatch: pytest.MonkeyPatch, closed_url: str
) -> None:
    """LiteLLM cannot start a budget again after two months; the health says so."""

    async def connect(_: str) -> object:
        return contextlib.nullcontext()

    monkeypatch.setattr(jobs_module, "connect", connect)
    jobs = Jobs(settings(BACKEND_BUDGET_DURATION="2mo"), closed_url)

    run(jobs, lambda: "only 1mo" in jobs.reasons()[0])


def test_a_key_does_not_show_itself() -> None:
    """Whatever prints it, prints what LiteLLM's pages show."""
    key = BackendKey("sk-backend-0123456789", 10.0, "30d", ())

    assert repr(key) == "BackendKey(sk-...6789)"
    assert BackendKey("sk-short", 10.0, "30d", ()).masked == "sk-..."


async def test_old_rows_are_deleted_on_schedule(
    monkeypatch: pytest.MonkeyPatch, closed_url: str
) -> None:
    """Not at the start, but when the schedule says, and again the next time."""
    waits: list[float] = []
    runs: list[str] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await real_sleep(0)

    async def delete(_: Jobs, retention: str) -> None:
        assert waits
        runs.append(retention)
        await real_sleep(0)

    jobs = Jobs(load_settings({"SPEND_RETENTION": "90d"}), closed_url)
    monkeypatch.setattr(Jobs, "_delete_old_rows", delete)

    monkeypatch.setattr("asyncio.sleep", sleep)
    task = asyncio.ensure_future(jobs._keep_schedule("90d"))
    while len(runs) < 3:
        await real_sleep(0)
    task.cancel()

    assert runs[:3] == ["90d"] * 3
    assert all(0 < seconds <= 3600 for seconds in waits)

"""How long a deployment is waited for, and how it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.swarm.judge import Condition, Verdict
from gateway.swarm.snapshot import Snapshot
from gateway.swarm.watch import Watch


def verdict(
    condition: Condition = "busy", running: int = 0, *, name: str = "gateway", update: str = ""
) -> Verdict:
    """Return a verdict on a service that should have three tasks."""
    undone = update in ("rolling back", "rolled back", "update stopped", "rollback stopped")
    return Verdict(name, condition, running, 3, update, undone, detail="")


def follow(
    monkeypatch: pytest.MonkeyPatch,
    *snapshots: list[Verdict],
    say: Callable[[str], None] = lambda _: None,
    **options: bool | tuple[str, ...],
) -> str:
    """Return the problem, if any, after snapshots 100 s apart."""
    told = iter(snapshots)
    monkeypatch.setattr("gateway.swarm.watch.judge", lambda _: next(told))
    times = iter(range(0, 100_000, 100))
    watch = Watch(say=say, clock=lambda: next(times), **options)  # type: ignore[arg-type]
    return watch.follow(Snapshot({}, ()) for _ in snapshots).problem


def test_it_ends_when_all_services_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is still being downloaded is not waited for."""
    loading = verdict("loading", name="ollama")
    snapshots = [verdict(), loading], [verdict("ready", 3), loading]

    assert follow(monkeypatch, *snapshots) == ""


def test_other_services_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deployed first must be ready before the others are deployed."""
    snapshots = [verdict(), verdict("ready", 3, name="postgres")]

    assert follow(monkeypatch, snapshots, only=("postgres",)) == ""


def test_a_service_that_was_rolled_back_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that the engine rolled back has failed, whether the rollback is over or not."""
    for update in ("rolling back", "rolled back"):
        problem = follow(monkeypatch, [verdict("failed", update=update)])
        assert problem == "the swarm rolled back the update of gateway"


def test_a_rollback_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services that were rolled back are then ready; a rollback that stops is an error."""
    snapshots = [verdict(update="rolling back")], [verdict("ready", 3, update="rolled back")]
    stopped = [verdict("failed", update="rollback stopped")]

    assert follow(monkeypatch, *snapshots, rolled_back=True) == ""
    assert follow(monkeypatch, stopped, rolled_back=True) == "the rollback of gateway stopped"


def test_a_failed_migration_does_not_hold_up_the_rollback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job is never rolled back, so it is not waited for."""
    job = Verdict("migrate", "busy", 0, 1, "", undone=False, detail="", is_job=True)

    assert follow(monkeypatch, [job, verdict("ready", 3)], rolled_back=True) == ""
    assert follow(monkeypatch, [job, verdict("ready", 3)]) != ""


def test_a_task_that_starts_again_and_again_is_no_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only a task more than ever before is worth another 300 s."""
    flapping = [[verdict(running=number % 2)] for number in range(20)]

    assert follow(monkeypatch, *flapping) == "no progress for 300 s"


def test_progress_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many nodes, one after another: each new task is waited for."""
    snapshots = [[verdict(running=number // 3)] for number in range(30)]

    assert follow(monkeypatch, *snapshots, [verdict("ready", 30)]) == ""


def test_a_manager_that_falls_silent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that end before the services are ready are no success."""
    assert "no longer answers" in follow(monkeypatch, [verdict()])


def test_only_changes_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each change of a service, not for each snapshot."""
    said: list[str] = []
    follow(monkeypatch, [verdict()], [verdict()], [verdict("ready", 3)], say=said.append)

    assert said == ["  gateway: 0/3", "  gateway: 3/3"]

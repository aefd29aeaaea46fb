"""Whether a service runs as it should, judged by what the docker command prints."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.swarm.judge import Verdict, changed, judge
from gateway.swarm.snapshot import Snapshot, read_snapshot

OLD: dict[str, Any] = {"ContainerSpec": {"Image": "gateway:1"}, "ForceUpdate": 0}
NEW: dict[str, Any] = {"ContainerSpec": {"Image": "gateway:2"}, "ForceUpdate": 0}
ADDED: dict[str, Any] = {"DNSConfig": {}, "StopGracePeriod": 10_000_000_000}
"""Fields that the engine shows of a service that leaves them out, and not of its tasks."""

LABELLED = "node.labels.litellm.gateway == true"


def node(name: str, *, state: str = "ready", **labels: str) -> dict[str, Any]:
    """Return a node, as `docker node inspect` prints it."""
    return {
        "ID": name,
        "Description": {"Hostname": f"host-{name}"},
        "Spec": {"Role": "worker", "Labels": labels, "Availability": "active"},
        "Status": {"State": state},
    }


def task(
    state: str = "running",
    desired: str = "running",
    *,
    on: str = "a",
    spec: dict[str, Any] = NEW,
    error: str = "",
    run: int = 0,
) -> dict[str, Any]:
    """Return a task of the service, as `docker inspect` prints it."""
    return {
        "ServiceID": "s",
        "NodeID": on,
        "DesiredState": desired,
        "Status": {"State": state, "Timestamp": "2026-11-28T10:00:00Z", "Err": error},
        "Spec": {**spec, "Networks": []},
        "JobIteration": {"Index": run},
    }


def snapshot(
    *tasks: dict[str, Any],
    mode: dict[str, Any] | None = None,
    update: str = "",
    name: str = "gateway",
    nodes: tuple[dict[str, Any], ...] = (),
    run: int = 0,
) -> Snapshot:
    """Return a snapshot of one service, which should run NEW."""
    made_from = {**NEW["ContainerSpec"], **ADDED}
    template = {**NEW, "ContainerSpec": made_from, "Placement": {"Constraints": [LABELLED]}}
    service = {
        "ID": "s",
        "Spec": {
            "Name": f"p_{name}",
            "Labels": {"com.docker.stack.namespace": "p"},
            "TaskTemplate": template,
            "Mode": mode or {"Replicated": {"Replicas": 1}},
        },
        "UpdateStatus": {"State": update} if update else None,
        "JobStatus": {"JobIteration": {"Index": run}},
    }
    labelled = (node("a", **{"litellm.gateway": "true"}),)
    return read_snapshot(
        {"nodes": [*(nodes or labelled)], "services": [service], "tasks": [*tasks]}
    )


def verdict(*tasks: dict[str, Any], **options: Any) -> Verdict:
    """Return the verdict on that service."""
    (found,) = judge(snapshot(*tasks, **options))
    return found


def test_a_service_is_ready_when_its_tasks_run_what_it_says() -> None:
    """Its name is the one in the compose file, and the detail says where it runs."""
    found = verdict(task())

    assert (found.name, found.condition, found.tasks) == ("gateway", "ready", "1/1")
    assert found.detail == "host-a"


def test_a_task_of_the_version_before_does_not_count() -> None:
    """Right after `docker stack deploy` only old tasks run, and no update is under way yet."""
    found = verdict(task(spec=OLD))

    assert (found.condition, found.tasks) == ("busy", "0/1")


def test_a_new_task_beside_an_old_one_is_not_the_end() -> None:
    """With start-first the old task still serves, and may still have to be kept."""
    assert verdict(task(spec=OLD), task()).condition == "busy"
    assert (
        verdict(task(spec=OLD, desired="shutdown", state="shutdown"), task()).condition == "ready"
    )


def test_an_update_is_over_when_the_engine_says_so() -> None:
    """A task that runs is still watched by the engine for a while."""
    assert verdict(task(), update="updating").condition == "busy"
    assert verdict(task(), update="completed").condition == "ready"


@pytest.mark.parametrize("state", ["rollback_started", "paused", "rollback_paused"])
def test_an_update_that_failed_is_seen_at_once(state: str) -> None:
    """Nothing more is waited for; what has failed is in the detail."""
    found = verdict(task("failed", "shutdown", error="task: exit code 2"), update=state)

    assert found.condition == "failed"
    assert found.undone
    assert found.detail == "task: exit code 2"


def test_after_a_rollback_the_service_runs_again() -> None:
    """All its tasks run, and the update is said to have been rolled back."""
    found = verdict(task(), update="rollback_completed")

    assert (found.condition, found.update, found.undone) == ("ready", "rolled back", True)


GLOBAL: dict[str, Any] = {"Global": {}}


def test_a_global_service_needs_a_task_on_each_fitting_node() -> None:
    """The engine says 0 of 0 while a task fails again and again, so the nodes are counted."""
    yes = {"litellm.gateway": "true"}
    nodes = (node("a", **yes), node("b", **yes), node("c"), node("d", state="down", **yes))

    assert verdict(task(), mode=GLOBAL, nodes=nodes).tasks == "1/2"
    both = verdict(task(), task(on="b"), mode=GLOBAL, nodes=nodes)
    assert (both.condition, both.detail) == ("ready", "host-a host-b")
    assert verdict(mode=GLOBAL, nodes=(node("c"),)).condition == "ready"


def test_only_ollama_may_take_its_time() -> None:
    """It downloads a model before it is healthy; a task that fails is no download."""
    starting = task("starting")

    assert verdict(starting).condition == "busy"
    assert verdict(starting, name="ollama").condition == "loading"
    assert verdict(task("rejected"), name="ollama").condition == "busy"


JOB: dict[str, Any] = {"ReplicatedJob": {"TotalCompletions": 1}}


def test_a_job_is_done_when_its_latest_run_is() -> None:
    """The run of the version before has been complete for long."""
    before = task("complete", "complete", run=1)

    assert verdict(before, mode=JOB, run=2).condition == "busy"
    assert verdict(before, task("complete", run=2), mode=JOB, run=2).condition == "ready"


def test_what_is_rolled_back_is_what_went_forward() -> None:
    """Not what the engine rolled back itself, nor what an earlier deployment changed."""
    assert changed(snapshot(update="completed")) == ["p_gateway"]
    assert changed(snapshot(update="updating")) == ["p_gateway"]
    assert changed(snapshot(update="rollback_completed")) == []
    assert changed(snapshot(update="completed"), only=("postgres",)) == []
    assert changed(snapshot(update="completed", mode=JOB)) == []

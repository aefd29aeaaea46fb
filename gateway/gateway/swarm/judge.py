"""Judge whether each service of a stack runs, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gateway.swarm.snapshot import fits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from gateway.swarm.snapshot import Node, Service, Snapshot, Task

Condition = Literal["ready", "loading", "busy", "failed"]

MAY_LOAD = "ollama"
"""The service that may take hours to start, because it downloads its model first."""

UNDER_WAY = ("updating", "rollback_started")
NOT_KEPT = ("rollback_started", "rollback_completed", "paused", "rollback_paused")

UPDATE_WORDS = {
    "updating": "updating",
    "paused": "update stopped",
    "completed": "updated",
    "rollback_started": "rolling back",
    "rollback_paused": "rollback stopped",
    "rollback_completed": "rolled back",
}


@dataclass(frozen=True)
class Verdict:
    """What is said of one service.

    Attributes:
        running: tasks that run what the service says now.
        wanted: tasks that should.
        undone: whether its last update failed, and was rolled back or stopped.
        detail: where it runs, then what is wrong, if anything is.
        is_job: whether it is a job, which nothing rolls back.
    """

    name: str
    condition: Condition
    running: int
    wanted: int
    update: str
    undone: bool
    detail: str
    is_job: bool = False

    @property
    def tasks(self) -> str:
        """How many tasks run, of how many."""
        return f"{self.running}/{self.wanted}"


def judge(snapshot: Snapshot) -> list[Verdict]:
    """Return a verdict on each service."""
    return [
        _job(each) if each.mode == "job" else _service(each, snapshot) for each in snapshot.services
    ]


def changed(snapshot: Snapshot, only: Collection[str] = ()) -> list[str]:
    """Return those services whose last update went forward, or does; of all when `only` is empty.

    The engine forgets an update as soon as the service is deployed again, changed or not.
    """
    return [
        each.full_name
        for each in snapshot.services
        if each.mode != "job"
        and each.update in ("updating", "completed")
        and (not only or each.name in only)
    ]


def _service(service: Service, snapshot: Snapshot) -> Verdict:
    wanted = service.count
    if service.mode == "global":
        nodes = snapshot.nodes.values()
        wanted = sum(node.usable and fits(service.constraints, node) for node in nodes)
    kept = [task for task in service.tasks if task.desired in ("running", "ready")]
    current = [task for task in kept if task.spec == service.spec]
    running = sum(task.state == "running" for task in current)
    condition: Condition = "busy"
    if service.update in NOT_KEPT and service.update != "rollback_completed":
        condition = "failed"
    elif service.update not in UNDER_WAY and running == wanted == len(kept):
        condition = "ready"
    elif service.name == MAY_LOAD and current and _all_load(current):
        condition = "loading"
    where = _hostnames(current, snapshot.nodes)
    wrong = "" if condition == "ready" and not service.message else _what_failed(service)
    return Verdict(
        service.name,
        condition,
        running,
        wanted,
        UPDATE_WORDS.get(service.update, ""),
        service.update in NOT_KEPT,
        "; ".join(filter(None, (where, wrong))),
    )


def _job(service: Service) -> Verdict:
    """Return the verdict on a job, by the tasks of its latest run."""
    tasks = [task for task in service.tasks if task.iteration == service.iteration]
    done = sum(task.state == "complete" for task in tasks)
    ready = done >= service.count
    detail = "done" if ready else _what_failed(service)
    condition: Condition = "ready" if ready else "busy"
    counts = (done, service.count)
    return Verdict(service.name, condition, *counts, "", undone=False, detail=detail, is_job=True)


def _all_load(tasks: Iterable[Task]) -> bool:
    return all(task.state in ("starting", "running") for task in tasks)


def _hostnames(tasks: Iterable[Task], nodes: Mapping[str, Node]) -> str:
    return " ".join(sorted({nodes[task.node].hostname for task in tasks if task.node in nodes}))


def _what_failed(service: Service) -> str:
    """Return the last error of a task; while there is none, what the newest task is doing."""
    errors = [task.error for task in service.tasks if task.error]
    if errors:
        return errors[-1]
    waiting = [task.state for task in service.tasks if task.state not in ("running", "shutdown")]
    return waiting[-1] if waiting else ""

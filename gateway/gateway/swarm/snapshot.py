"""What a swarm's manager says of a stack: its nodes, services and tasks at one moment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STACK_LABEL = "com.docker.stack.namespace"

ENGINE_DEFAULTS = {"StopGracePeriod": 10_000_000_000, "DNSConfig": {}}
"""What the engine shows of a service that leaves it out, and not of its tasks."""

Mode = Literal["global", "replicated", "job"]


@dataclass(frozen=True)
class Node:
    """A machine of the swarm; only a usable one is ready and may be given tasks."""

    id: str
    hostname: str
    role: str
    labels: Mapping[str, str]
    usable: bool

    def attribute(self, name: str) -> str | None:
        """Return what a placement constraint compares; None for an attribute not known here."""
        if name.startswith("node.labels."):
            return self.labels.get(name.removeprefix("node.labels."), "")
        known = {"node.id": self.id, "node.hostname": self.hostname, "node.role": self.role}
        return known.get(name)


@dataclass(frozen=True)
class Task:
    """One container of a service, running or not.

    Attributes:
        spec: what it was made from, as comparable values.
        iteration: of a job: which run of it this is.
    """

    node: str
    desired: str
    state: str
    error: str
    since: str
    spec: object
    iteration: int


@dataclass(frozen=True)
class Service:
    """A service of the stack, under the name that it has in the compose file.

    Attributes:
        count: how many tasks it should have; of a global service: one on each fitting node.
        spec: what its tasks should be made from.
        update: the engine's word on its last update; empty when there was none.
    """

    name: str
    full_name: str
    mode: Mode
    count: int
    constraints: tuple[str, ...]
    spec: object
    iteration: int
    update: str
    message: str
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Snapshot:
    """Everything at one moment."""

    nodes: Mapping[str, Node]
    services: tuple[Service, ...]


def fits(constraints: Iterable[str], node: Node) -> bool:
    """Return whether a node satisfies constraints; one that cannot be judged here counts as met."""
    for constraint in constraints:
        parts = re.fullmatch(r"\s*(\S+?)\s*(==|!=)\s*(.*?)\s*", constraint)
        found = node.attribute(parts[1]) if parts else None
        if parts and found is not None and (found == parts[3]) != (parts[2] == "=="):
            return False
    return True


def read_nodes(nodes: Iterable[Mapping[str, Any]]) -> dict[str, Node]:
    """Return the nodes by id, from what `docker node inspect` prints."""
    return {node["ID"]: _node(node) for node in nodes}


def read_snapshot(document: Mapping[str, Sequence[Mapping[str, Any]]]) -> Snapshot:
    """Return what `docker inspect` printed of nodes, services and tasks.

    The fields are those of Docker's API 1.44, of objects Node, Service and Task.
    """
    tasks: dict[str, list[Task]] = {}
    for task in document["tasks"]:
        tasks.setdefault(task["ServiceID"], []).append(_task(task))
    services = [_service(each, tasks.get(each["ID"], [])) for each in document["services"]]
    return Snapshot(
        read_nodes(document["nodes"]), tuple(sorted(services, key=lambda each: each.name))
    )


def _node(node: Mapping[str, Any]) -> Node:
    spec = node["Spec"]
    return Node(
        id=node["ID"],
        hostname=node["Description"]["Hostname"],
        role=spec["Role"],
        labels=spec.get("Labels") or {},
        usable=node["Status"]["State"] == "ready" and spec["Availability"] == "active",
    )


def _service(service: Mapping[str, Any], tasks: Iterable[Task]) -> Service:
    spec = service["Spec"]
    template = spec["TaskTemplate"]
    mode, count = _mode(spec["Mode"])
    update = service.get("UpdateStatus") or {}
    job = (service.get("JobStatus") or {}).get("JobIteration") or {}
    return Service(
        name=spec["Name"].removeprefix(f"{spec['Labels'][STACK_LABEL]}_"),
        full_name=spec["Name"],
        mode=mode,
        count=count,
        constraints=tuple((template.get("Placement") or {}).get("Constraints") or ()),
        spec=_made_from(template),
        iteration=job.get("Index", 0),
        update=update.get("State", ""),
        message=update.get("Message", ""),
        tasks=tuple(sorted(tasks, key=lambda task: task.since)),
    )


def _mode(mode: Mapping[str, Any]) -> tuple[Mode, int]:
    if "Global" in mode:
        return "global", 0
    if "ReplicatedJob" in mode:
        return "job", mode["ReplicatedJob"].get("TotalCompletions", 1)
    return "replicated", mode["Replicated"]["Replicas"]


def _task(task: Mapping[str, Any]) -> Task:
    status = task["Status"]
    return Task(
        node=task.get("NodeID", ""),
        desired=task["DesiredState"],
        state=status["State"],
        error=status.get("Err", ""),
        since=status["Timestamp"],
        spec=_made_from(task["Spec"]),
        iteration=(task.get("JobIteration") or {}).get("Index", 0),
    )


def _made_from(template: Mapping[str, Any]) -> object:
    """Return what makes a task another one; a swarm moves no task for its placement alone."""
    return {**ENGINE_DEFAULTS, **template["ContainerSpec"]}, template.get("ForceUpdate", 0)

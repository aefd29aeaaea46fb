"""Whether each service has a node to run on, before anything is deployed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gateway.config.problems import Problem
from gateway.swarm.judge import MAY_LOAD
from gateway.swarm.snapshot import fits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.swarm.snapshot import Node

ONE_NODE_ONLY = "postgres"
"""The service whose data are in a volume of one node."""


def places(services: Mapping[str, Any], nodes: Iterable[Node]) -> dict[str, list[str]]:
    """Return the hostnames of the nodes on which each service may run."""
    usable = [node for node in nodes if node.usable]
    return {
        name: [node.hostname for node in usable if fits(_constraints(service), node)]
        for name, service in services.items()
    }


def place_problems(services: Mapping[str, Any], found: Mapping[str, list[str]]) -> list[Problem]:
    """Return what would wait for ever, silently, or could lose its data."""
    homeless: dict[tuple[str, ...], list[str]] = {}
    for name, service in services.items():
        if not found[name] and name != MAY_LOAD:
            homeless.setdefault(_constraints(service), []).append(name)
    problems = [
        Problem(", ".join(names), f"no usable node has {' and '.join(wanted)}", _label(wanted))
        for wanted, names in homeless.items()
    ]
    if len(found.get(ONE_NODE_ONLY, ())) > 1:
        where = ", ".join(found[ONE_NODE_ONLY])
        fix = "leave the label on one of them: docker node update --label-rm litellm.postgres NODE"
        problems.append(
            Problem(ONE_NODE_ONLY, f"may run on {where}, but its data are on one node", fix)
        )
    return problems


def _constraints(service: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(service["deploy"].get("placement", {}).get("constraints", ()))


def _label(constraints: Iterable[str]) -> str:
    """Return the command that makes a node satisfy constraints on labels."""
    pattern = r"node\.labels\.(\S+)\s*==\s*(\S+)"
    labels = [match for each in constraints if (match := re.fullmatch(pattern, each))]
    options = " ".join(f"--label-add {label[1]}={label[2]}" for label in labels)
    return f"docker node update {options} NODE" if options else "change its placement, or the nodes"

"""What ./run swarm hands over: records of a name, NUL, a value, NUL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.problems import ConfigurationError, Problem
from gateway.swarm.snapshot import Node, read_nodes
from gateway.swarm.stack import Stack, convert

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Asked:
    """A stack, and the nodes that it is for."""

    stack: Stack
    nodes: tuple[Node, ...]


def asked(stream: bytes) -> Asked:
    """Return what the records ask for.

    Records: `compose` (its configuration, JSON), `checksum:PATH` of each mounted file, `nodes` (a
    line of JSON for each), `value:NAME` of each generated key, and `end`, which is missing when the
    sender has failed.

    Raises:
        ConfigurationError: something would be lost on a swarm, or the records are not complete.
    """
    parts = stream.decode().split("\0")
    records = list(zip(parts[::2], parts[1::2], strict=False))
    if not records or records[-1][0] != "end":
        fix = "the lines above say why"
        raise ConfigurationError(
            [Problem("swarm", "the stack's settings or keys are missing", fix)]
        )
    found = dict(records)
    nodes = read_nodes(json.loads(line) for line in found.get("nodes", "").splitlines())
    stack = convert(
        json.loads(found["compose"]),
        _under("checksum:", found),
        {name: value.removesuffix("\n") for name, value in _under("value:", found).items()},
    )
    return Asked(stack, tuple(nodes.values()))


def _under(prefix: str, records: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value
        for name, value in records.items()
        if name.startswith(prefix)
    }

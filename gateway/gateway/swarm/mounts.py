"""What is mounted into a service: volumes, configs, secrets and memory."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.config.problems import Problem
from gateway.secret_store import SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateway.swarm.given import GivenSecret

SECRETS_SUFFIX = "-secrets"
"""The end of the names of volumes with generated keys; before it is secret_store's folder."""

READABLE = 0o444
"""Readable for all, because a container has one user, and no other container sees the mount."""

SHARED_MEMORY = "/dev/shm"  # noqa: S108 -- a mount's target in a container, not a file of ours


@dataclass
class Mounts:
    """What services need from the stack: volumes, configs (each key with its file) and secrets."""

    volumes: set[str] = field(default_factory=set)
    configs: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    def update(self, other: Mounts) -> None:
        """Add what another service needs."""
        self.volumes |= other.volumes
        self.configs |= other.configs
        self.secrets |= other.secrets


def config_name(project: str, key: str, checksum: str) -> str:
    """Return a config's name in the swarm, which differs for each content."""
    return f"{project}_{key}-{checksum}"


class ServiceMounts:
    """Converts one service's mounts.

    Args:
        name: the name of the service.
        service: its settings.
        given: those of its secrets that the user set.
    """

    def __init__(self, name: str, service: Mapping[str, Any], given: Sequence[GivenSecret]) -> None:
        self._name = name
        self._service = service
        self.asked = Mounts()
        self.problems: list[Problem] = []
        self._secrets = [self._secret(each.name, each.path) for each in given]
        self._configs: list[dict[str, Any]] = []

    def settings(self) -> dict[str, Any]:
        """Return those of the settings `volumes`, `configs` and `secrets` that are not empty."""
        volumes = [*self._volumes(), *self._memory()]
        found = {"volumes": volumes, "configs": self._configs, "secrets": self._secrets}
        return {key: value for key, value in found.items() if value}

    def _volumes(self) -> Iterator[dict[str, Any]]:
        for volume in self._service.get("volumes", []):
            source, target = volume.get("source", ""), volume["target"]
            if volume["type"] == "volume" and source.endswith(SECRETS_SUFFIX):
                self._generated(source.removesuffix(SECRETS_SUFFIX), target)
            elif volume["type"] == "volume":
                self.asked.volumes.add(source)
                yield {key: value for key, value in volume.items() if key != "volume"}
            elif volume["type"] == "bind":
                self._config(source, target)
            else:
                self._refuse("volumes", f"has a mount of type {volume['type']}", "use a volume")

    def _generated(self, folder: str, target: str) -> None:
        """Mount the generated keys of a folder as secrets, under the paths that the volume had."""
        names = [secret.name for secret in SECRETS if folder in secret.folders]
        self._secrets += [self._secret(name, f"{target}/{name}") for name in names]

    def _secret(self, name: str, target: str) -> dict[str, Any]:
        self.asked.secrets.add(name)
        return {"source": name, "target": target, "mode": READABLE}

    def _config(self, source: str, target: str) -> None:
        """Turn a file of this machine into a config for the nodes; stack.py refuses a folder."""
        key = re.sub(r"\W", "_", source.rsplit("/", 1)[-1])
        if self.asked.configs.get(key, source) != source:
            self._refuse("volumes", f"mounts two files named {key}", "rename one of them")
        self.asked.configs[key] = source
        self._configs.append({"source": key, "target": target, "mode": READABLE})

    def _memory(self) -> Iterator[dict[str, Any]]:
        """Return shared memory, and each tmpfs in the long form: a stack keeps only that form."""
        for line in self._service.get("tmpfs") or []:
            target, _, options = line.partition(":")
            size = None
            for option in filter(None, options.split(",")):
                key, _, value = option.partition("=")
                if key != "size":
                    self._refuse(
                        "tmpfs", f"has {option} for {target}", "use a volume: its owner is kept"
                    )
                size = value
            yield _tmpfs(target, size)
        if size := self._service.get("shm_size"):
            yield _tmpfs(SHARED_MEMORY, str(size))

    def _refuse(self, key: str, found: str, fix: str) -> None:
        self.problems.append(Problem(f"{self._name}: {key}", found, fix))


def _tmpfs(target: str, size: str | None) -> dict[str, Any]:
    mount: dict[str, Any] = {"type": "tmpfs", "target": target}
    if size is not None:
        mount["tmpfs"] = {"size": int(size) if size.isdigit() else size}
    return mount

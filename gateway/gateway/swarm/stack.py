"""The whole file: compose's configuration as JSON in, a stack file out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config.problems import ConfigurationError, Problem
from gateway.swarm.given import GivenSecret, given_secret, given_secrets
from gateway.swarm.mounts import Mounts, config_name
from gateway.swarm.service import convert_service

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_DEPLOYED = {
    "secrets": "swarm secrets take its place",
    "backup": "it needs the volumes of one machine",
}
"""Services that a stack does not have, each with the reason."""

EXTERNAL_DATABASE = "POSTGRES_EXTERNAL"
"""A variable of service postgres, set if DATABASE_URL names a database of the user's own."""


@dataclass(frozen=True)
class Stack:
    """What is deployed.

    Attributes:
        file: the stack file's content.
        generated: the names of the swarm secrets whose values service `secrets` generates, as far
            as the values are not known here.
        given: the swarm secrets whose values are known.
        notes: what the user should know, one sentence each.
    """

    file: Mapping[str, Any]
    generated: tuple[str, ...]
    given: tuple[GivenSecret, ...]
    notes: tuple[str, ...]


def convert(
    document: Mapping[str, Any],
    checksums: Mapping[str, str],
    values: Mapping[str, str] | None = None,
) -> Stack:
    """Return the stack for a configuration, as `docker compose config --format json` prints it.

    Args:
        document: the configuration; compose has doubled each `$` in a value, as a stack file needs.
        checksums: the checksum of each mounted file, by its path. Swarm's configs cannot change, so
            the name of each contains the checksum of its content.
        values: generated keys by their names, if they are known. A key that is known has a name
            that changes with it, so that a new key replaces the tasks that use it.

    Raises:
        ConfigurationError: settings would be lost; the error names each of them.
    """
    return _Conversion(document, checksums, values or {}).run()


class _Conversion:
    def __init__(
        self,
        document: Mapping[str, Any],
        checksums: Mapping[str, str],
        values: Mapping[str, str],
    ) -> None:
        self._document = document
        self._checksums = checksums
        self._values = values
        self._project = str(document["name"])
        self._registry = str(document.get("x-swarm", {}).get("registry") or "")
        self._problems: list[Problem] = []

    def run(self) -> Stack:
        services: dict[str, Any] = {}
        mounts = Mounts()
        given: dict[str, GivenSecret] = {}
        for name, service in self._deployed().items():
            asked = dict(service)
            environment, secret = given_secrets(self._project, asked.get("environment") or {})
            if secret and not self._reads_files(service):
                self._refuse_open_values(name, secret)
            else:
                asked["environment"] = environment
                given.update({each.name: each for each in secret})
            converted, own_mounts, problems = convert_service(name, asked, secret)
            converted["image"] = self._image(converted["image"])
            services[name] = converted
            self._problems += problems
            mounts.update(own_mounts)
        configs = self._configs(mounts)
        if self._problems:
            raise ConfigurationError(self._problems)
        for name in mounts.secrets & self._values.keys() - given.keys():
            given[name] = given_secret(self._project, name, self._values[name])
        generated = tuple(
            f"{self._project}_{name}" for name in sorted(mounts.secrets - given.keys())
        )
        file = {
            "services": services,
            "networks": self._networks(services),
            "volumes": {name: self._volume(name) for name in sorted(mounts.volumes)},
            "configs": configs,
            "secrets": self._secrets(mounts.secrets, given),
        }
        return Stack(file, generated, tuple(given.values()), self._notes())

    def _deployed(self) -> dict[str, Mapping[str, Any]]:
        """Return the services of the stack."""
        services = dict(self._document["services"])
        if services.get("postgres", {}).get("environment", {}).get(EXTERNAL_DATABASE):
            del services["postgres"]
        return {name: each for name, each in services.items() if name not in NOT_DEPLOYED}

    def _reads_files(self, service: Mapping[str, Any]) -> bool:
        """Return whether a service reads VAR_FILE for VAR: those with the gateway's image do."""
        gateway = self._document["services"].get("gateway", {})
        return bool(service["image"] == gateway.get("image"))

    def _refuse_open_values(self, name: str, secrets: tuple[GivenSecret, ...]) -> None:
        self._problems += [
            Problem(
                f"{name}: {each.variable}",
                "would be in the stack file for everybody to read",
                f"let the service read a file, and name it in {each.variable}_FILE",
            )
            for each in secrets
        ]

    def _image(self, image: str) -> str:
        """Return the name by which nodes find an image: ours need the registry's host in front."""
        own = image.startswith("litellm-proxy-service/")
        return f"{self._registry}/{image}" if own and self._registry else image

    def _configs(self, mounts: Mounts) -> dict[str, Any]:
        configs = {}
        for key, source in sorted(mounts.configs.items()):
            checksum = self._checksums.get(source)
            if checksum is None:
                self._problems.append(
                    Problem(source, "is not a file, so it cannot be a config", "mount single files")
                )
                continue
            name = config_name(self._project, key, checksum)
            configs[key] = {"name": name, "file": source}
        return configs

    def _secrets(self, names: set[str], given: Mapping[str, GivenSecret]) -> dict[str, Any]:
        return {
            name: {
                "external": True,
                "name": given[name].full_name if name in given else f"{self._project}_{name}",
            }
            for name in sorted(names)
        }

    def _networks(self, services: Mapping[str, Any]) -> dict[str, Any]:
        used = {name for service in services.values() for name in service.get("networks", {})}
        declared = self._document.get("networks", {})
        return {name: self._network(name, declared[name]) for name in sorted(used)}

    def _network(self, name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
        """Return a network that spans all nodes.

        Its name has `_swarm_` in it, because compose's own network on this machine has the usual
        name.
        """
        if declared.get("external"):
            return {"external": True, "name": declared["name"]}
        kept = {key: declared[key] for key in ("internal", "driver_opts") if declared.get(key)}
        return {"name": f"{self._project}_swarm_{name}", "driver": "overlay", **kept}

    def _volume(self, name: str) -> dict[str, Any]:
        declared = self._document.get("volumes", {}).get(name) or {}
        if declared.get("external"):
            return {"external": True, "name": declared["name"]}
        return {key: declared[key] for key in ("driver", "driver_opts") if declared.get(key)}

    def _notes(self) -> tuple[str, ...]:
        services = self._document["services"]
        left_out = [f"{name} is left out: {why}" for name, why in NOT_DEPLOYED.items()]
        notes = [note for note in left_out if note.split()[0] in services]
        if "postgres" in services and "postgres" not in self._deployed():
            notes.append("postgres is left out: DATABASE_URL names a database of your own")
        return tuple(notes)

"""What the checks judge, read once and never changed; its pieces are in `seen.py`.

None and empty mean "not seen", so a check finds nothing in what could not be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.doctor.seen import EMBEDDED_MODEL, Engine, Observed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.doctor.seen import (
        Container,
        DeploymentSeen,
        Disk,
        EnvFile,
        Listener,
        ModelStatus,
        Port,
        Service,
    )


@dataclass(frozen=True)
class Facts:
    """Everything that the checks judge.

    Attributes:
        now: the host's time.
        known: the variables that .env.example explains.
        exported: those of them that the shell has, and the proxy variables.
        modes: permission bits of files and folders that containers read.
        compose_error: what compose said when it could not read its files.
        compose_warnings: what it complained of otherwise.
        services: as compose would start them; empty when it could not be asked.
        deployments: as the running gateway knows them.
        weights: the sizes of the GGUF files in ollama/models, by model name.
        cluster: the PostgreSQL version that made the volume; None when there is none.
        postgres: the version that the image has.
        free_memory: what the host has left.
    """

    now: float | None = None
    known: tuple[str, ...] = ()
    exported: Mapping[str, str] = field(default_factory=dict, repr=False)
    env_files: tuple[EnvFile, ...] = ()
    ports: tuple[Port, ...] = ()
    ollama_listeners: tuple[Listener, ...] = ()
    disks: tuple[Disk, ...] = ()
    modes: Mapping[str, int] = field(default_factory=dict)
    engine: Engine = field(default_factory=Engine)
    compose_error: str | None = None
    compose_warnings: tuple[str, ...] = ()
    services: Mapping[str, Service] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    model_status: ModelStatus | None = None
    deployments: tuple[DeploymentSeen, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)
    cluster: str | None = None
    postgres: str | None = None
    free_memory: int | None = None
    config: str | None = field(default=None, repr=False)
    observed: Observed = field(default_factory=Observed)

    def container(self, service: str) -> Container | None:
        """Return a service's container; of several a running one; None without any."""
        found = [each for each in self.containers if each.service == service]
        return next((each for each in found if each.runs), found[0] if found else None)

    def runs(self, service: str) -> bool:
        """Return whether a container of the service is up."""
        container = self.container(service)
        return container is not None and container.runs

    def setting(self, service: str, variable: str) -> str:
        """Return a variable as compose would set it now, else as the container has it."""
        known = self.services.get(service) or self.container(service)
        return known.environment.get(variable, "") if known else ""

    @property
    def asked(self) -> dict[str, str]:
        """The aliases that the backend asks, by the variable that names them."""
        names = ("LITELLM_EXTRACTION_MODEL", "LITELLM_EXPLANATION_MODEL")
        found = {name: self.setting("backend-stub", name) for name in names}
        return {name: alias for name, alias in found.items() if alias}

    @property
    def aliases_in_use(self) -> frozenset[str]:
        """The aliases that the backend asks, and their fallbacks."""
        waiting, found = list(self.asked.values()), set[str]()
        while waiting:
            alias = waiting.pop()
            if alias not in found:
                found.add(alias)
                waiting.extend(self.observed.fallbacks.get(alias, ()))
        return frozenset(found)

    @property
    def model(self) -> str:
        """The model that Ollama is to serve; the embedded one where `./run up` chose it."""
        container = self.container("gateway")
        if container is not None and container.environment.get("OLLAMA_MODEL") == EMBEDDED_MODEL:
            return EMBEDDED_MODEL
        return self.setting("gateway", "OLLAMA_MODEL").removeprefix("ollama/")

    @property
    def ollama_base(self) -> str:
        """Where Ollama is asked."""
        return self.setting("gateway", "OLLAMA_API_BASE").rstrip("/")

    @property
    def wants_bundled_ollama(self) -> bool:
        """Whether the stack's own model server is to run."""
        service = self.services.get("ollama")
        return service is not None and service.replicas > 0

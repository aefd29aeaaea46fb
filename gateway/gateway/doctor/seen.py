"""The pieces of the facts. Sizes are bytes, times seconds; None and empty mean "not seen"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BUNDLED_OLLAMA = "http://ollama:11434"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 -- compared with
EMBEDDED_MODEL = "smollm2:135m"
"""What `./run up` serves where no model library is in reach; bootstrap/model.sh."""


@dataclass(frozen=True)
class EnvFile:
    """A .env file: its path, its permission bits, what is written in it."""

    path: str
    mode: int | None
    text: str = field(repr=False)


@dataclass(frozen=True)
class Listener:
    """Who listens: the address, and "pid 12 (its command line)"; empty where that is hidden."""

    address: str
    who: str


@dataclass(frozen=True)
class Port:
    """A port of this machine that the stack publishes, and who has it.

    Attributes:
        variable: what sets it.
        containers: the running containers that publish it, by name.
    """

    variable: str
    number: int
    listeners: tuple[Listener, ...] = ()
    containers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Disk:
    """A file system: what of ours is on it, and how much of it is left."""

    what: str
    mount: str
    size: int
    free: int


@dataclass(frozen=True)
class Engine:
    """The container engine.

    Attributes:
        installed: whether there is a docker command.
        error: why it does not answer; None when it does.
        version: of the engine itself, such as 26.1.5.
        compose: of the compose plugin; None without one.
        buildx: whether the buildx plugin is there.
        memory: what containers can have at most.
        clock: its time; of a virtual machine where there is one.
    """

    installed: bool = True
    error: str | None = None
    version: str | None = None
    compose: str | None = None
    buildx: bool = True
    memory: int | None = None
    clock: float | None = None


@dataclass(frozen=True)
class Service:
    """A service as compose would start it now; its environment holds secrets."""

    image: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    memory: int | None = None
    replicas: int = 1


@dataclass(frozen=True)
class Container:
    """A container of this project.

    Attributes:
        state: running, exited, restarting, created …
        health: healthy, unhealthy, starting; empty without a health check.
        reason: the last words of its health check.
        log: its last lines, of one that ended.
    """

    service: str
    name: str
    image: str
    state: str
    exit_code: int = 0
    out_of_memory: bool = False
    health: str = ""
    reason: str = ""
    log: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def runs(self) -> bool:
        """Whether it is up, healthy or not."""
        return self.state == "running"


@dataclass(frozen=True)
class ModelStatus:
    """What the bundled model server says of itself."""

    state: str
    model: str
    detail: str = ""
    what_to_do: str = ""


@dataclass(frozen=True)
class DeploymentSeen:
    """A deployment of the gateway.

    Attributes:
        key: the variable of its key, or `in the file`, or `not needed`.
        base: the URL that is asked; None when only LiteLLM knows it.
        reachable: yes, no, key refused, unknown; None when it was not checked.
        condition: up, down, limited, unauthorised, left out; empty when no gateway runs.
        reason: the gateway's, for the condition.
    """

    alias: str
    provider: str
    model: str
    key: str = "not needed"
    base: str | None = None
    reachable: str | None = None
    condition: str = ""
    reason: str = ""


@dataclass(frozen=True)
class OllamaSeen:
    """What an Ollama showed.

    Attributes:
        error: why it does not answer; None when it does.
        models: the size of each model that is pulled.
        loaded: those in memory.
        version: such as 0.17.4; empty when it did not say.
        speed: tokens a second of a loaded model, measured now; None when it was not.
    """

    url: str
    error: str | None = None
    models: Mapping[str, int] = field(default_factory=dict)
    loaded: tuple[str, ...] = ()
    version: str = ""
    speed: float | None = None


@dataclass(frozen=True)
class WrongSetting:
    """A setting that stops the start: where, what was found, what to set."""

    where: str
    found: str
    fix: str


@dataclass(frozen=True)
class Observed:
    """What was seen from inside the stack's network.

    Attributes:
        wrong: what `gateway check` would say.
        aliases: every name that a request may give.
        fallbacks: the aliases that answer in place of an alias.
        deployments: running or left out.
        timeout: seconds that the gateway waits for one attempt.
        clock_offset: seconds that this machine is ahead of a provider; None when none was asked.
        proxies: the proxy variables that the engine gives to every container.
        not_checked: what could not be checked, and why.
    """

    wrong: tuple[WrongSetting, ...] = ()
    aliases: tuple[str, ...] = ()
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deployments: tuple[DeploymentSeen, ...] = ()
    ollamas: tuple[OllamaSeen, ...] = ()
    timeout: float | None = None
    clock_offset: float | None = None
    proxies: Mapping[str, str] = field(default_factory=dict)
    not_checked: tuple[str, ...] = ()

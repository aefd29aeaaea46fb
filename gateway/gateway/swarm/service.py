"""One service's settings: kept, translated, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.problems import Problem
from gateway.swarm.mounts import Mounts, ServiceMounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.swarm.given import GivenSecret

KEPT = frozenset(
    {"image", "command", "entrypoint", "networks", "cap_drop", "cap_add", "read_only", "init"}
    | {"logging", "healthcheck", "stop_grace_period", "stop_signal", "user", "working_dir"}
    | {"labels", "hostname", "ulimits"}
)
"""Settings that a stack also has, with the same meaning."""

ANOTHER_WAY = frozenset(
    {"volumes", "configs", "secrets", "tmpfs", "shm_size", "environment", "deploy", "mem_limit"}
    | {"ports", "extra_hosts", "security_opt", "cpu_shares", "runtime", "scale", "restart"}
)
"""Settings that this module and mounts.py translate or refuse."""

NOT_NEEDED = {
    "build": "nodes do not build",
    "depends_on": "services start again until what they need is there",
    "group_add": "only the secrets' volumes need it, and swarm secrets can be read without it",
    "profiles": "compose has applied them already",
}
"""Settings that a stack can do without, each with the reason."""

USUAL_SHARES = 1024
HARDENED = "no-new-privileges:true"
HARDENING = ["setpriv", "--no-new-privs"]
THIS_MACHINE = "host.docker.internal"


def convert_service(
    name: str, service: Mapping[str, Any], given: Sequence[GivenSecret]
) -> tuple[dict[str, Any], Mounts, list[Problem]]:
    """Return a service of a stack, what it mounts, and what cannot be kept.

    Args:
        name: the name of the service.
        service: its settings, as compose prints them.
        given: those of its secrets that the user set; the environment already names their files.
    """
    return _Service(name, service, given).convert()


class _Service:
    def __init__(self, name: str, service: Mapping[str, Any], given: Sequence[GivenSecret]) -> None:
        self._name = name
        self._service = {key: value for key, value in service.items() if value is not None}
        self._mounts = ServiceMounts(name, self._service, given)
        self._problems: list[Problem] = []

    def convert(self) -> tuple[dict[str, Any], Mounts, list[Problem]]:
        self._refuse_what_is_lost()
        converted: dict[str, Any] = {
            key: value for key, value in self._service.items() if key in KEPT
        }
        converted["environment"] = self._environment()
        converted |= self._mounts.settings()
        if ports := self._ports():
            converted["ports"] = ports
        if hosts := self._extra_hosts():
            converted["extra_hosts"] = hosts
        converted["deploy"] = self._deploy()
        return converted, self._mounts.asked, [*self._problems, *self._mounts.problems]

    def _refuse(self, key: str, found: str, fix: str) -> None:
        self._problems.append(Problem(f"{self._name}: {key}", found, fix))

    def _refuse_what_is_lost(self) -> None:
        for key in sorted(self._service.keys() - KEPT - ANOTHER_WAY - NOT_NEEDED.keys()):
            self._refuse(key, "is not supported by Swarm", "remove it in a file of SWARM_OVERRIDE")
        if int(self._service.get("cpu_shares", USUAL_SHARES)) != USUAL_SHARES:
            self._refuse(
                "cpu_shares",
                "Swarm has no CPU shares",
                "unset it; give the service its own node, or a limit",
            )
        if self._service.get("runtime", "runc") != "runc":
            fix = "unset OLLAMA_RUNTIME, and make nvidia the default runtime of the GPU's nodes"
            self._refuse("runtime", "Swarm lets the node's engine choose", fix)
        if int(self._service.get("scale", 1)) > 1:
            fix = "unset OLLAMA_REPLICAS and label more nodes, or set deploy.replicas"
            self._refuse("scale", "Swarm runs one task on each labelled node", fix)
        self._refuse_open_privileges()

    def _refuse_open_privileges(self) -> None:
        """Refuse security_opt, which no stack file has, unless the entrypoint does the same."""
        options = self._service.get("security_opt", [])
        for option in options:
            if option != HARDENED:
                self._refuse("security_opt", f"{option} is lost on a swarm", "remove it")
        entrypoint = self._service.get("entrypoint") or []
        if HARDENED in options and entrypoint[: len(HARDENING)] != HARDENING:
            fix = f"let its entrypoint begin with {' '.join(HARDENING)}"
            self._refuse("security_opt", f"{HARDENED} is lost on a swarm", fix)

    def _environment(self) -> dict[str, str]:
        """Return the variables that have a value; unset ones are left out."""
        environment = self._service.get("environment") or {}
        found = {key: str(value) for key, value in environment.items() if value is not None}
        for key, value in found.items():
            model = found.get(f"{key.removesuffix('_API_BASE')}_MODEL")
            if THIS_MACHINE in value and (not key.endswith("_API_BASE") or model):
                self._refuse(
                    key, f"{THIS_MACHINE} is another machine on each node", "name the host itself"
                )
        return found

    def _extra_hosts(self) -> list[str]:
        """Return the extra hosts in a stack's form, without those that name the machine itself."""
        pairs = [line.replace("=", ":", 1) for line in self._service.get("extra_hosts", [])]
        return [pair for pair in pairs if not pair.endswith(":host-gateway")]

    def _ports(self) -> list[dict[str, Any]]:
        ports = []
        for port in self._service.get("ports", []):
            if "host_ip" in port:
                found = f"{port['host_ip']}:{port.get('published')} would listen on every address"
                self._refuse("ports", found, "remove it: the edge publishes the gateway")
            if not port.get("published"):
                fix = "set SWARM_PORT, for example 4000: it listens on every address of a node"
                self._refuse("ports", "has no port to publish", fix)
                continue
            kept = {key: port[key] for key in ("target", "protocol", "mode")}
            ports.append({**kept, "published": int(port["published"])})
        return ports

    def _deploy(self) -> dict[str, Any]:
        """Return where and how often the service runs, with its memory limit."""
        deploy = dict(self._service.get("deploy") or {})
        if not deploy:
            fix = "say where it runs in a file of SWARM_OVERRIDE"
            self._refuse("deploy", "has no settings for a swarm", fix)
        if "global" in str(deploy.get("mode")):
            deploy.pop("replicas", None)  # compose sets it from `scale`
        limits = dict((deploy.get("resources") or {}).get("limits") or {})
        if memory := self._service.get("mem_limit"):
            limits["memory"] = str(memory)
        if "cpus" in limits:
            limits["cpus"] = str(limits["cpus"])
        deploy.pop("resources", None)
        if limits:
            deploy["resources"] = {"limits": limits}
        return {key: value for key, value in deploy.items() if value != {}}

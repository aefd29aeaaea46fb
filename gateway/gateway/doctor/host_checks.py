"""Checks of the machine: engine, ports, disk, clock, proxies, permissions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.doctor.finding import Finding
from gateway.doctor.seen import BUNDLED_OLLAMA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.doctor.facts import Facts

ENGINE = (25, 0)
"""Older ones reject RUN heredocs and a health check's start_interval."""
COMPOSE = (2, 24)
"""Older ones know neither COMPOSE_ENV_FILES nor this file's health checks."""

GIB = 1024**3
LITTLE = 2 * GIB
SOME = 20 * GIB
SHARE = 0.05
CLOCK_TOLERANCE = 60
BLOCKS_LOOPBACK = ("127.0.0.1", "0.0.0.0", "::", "*")  # noqa: S104 -- compared with, not bound to
PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
INSIDE = ("ollama", "gateway", "localhost", "127.0.0.1")
"""What the containers ask each other for, past any proxy."""
READ_BY_OTHERS = 0o004
WRITTEN_BY_OTHERS = 0o002


def engine_answers(facts: Facts) -> Iterator[Finding]:
    """Find a missing engine, a stopped one, or one that this user may not use."""
    engine = facts.engine
    if not engine.installed:
        yield Finding(
            "docker is not installed",
            "there is no docker command on PATH",
            "install Docker Engine 25 or newer with the compose plugin "
            "(docs.docker.com/engine/install); as root on Debian or Ubuntu: ./run up",
        )
    elif engine.error and "permission denied" in engine.error.lower():
        yield Finding(
            "this user may not use the container engine",
            engine.error,
            'sudo usermod -aG docker "$USER", then log in again',
        )
    elif engine.error:
        yield Finding(
            "no container engine answers",
            engine.error,
            "start it (sudo systemctl start docker, or Docker Desktop); as root on Debian or "
            "Ubuntu ./run up makes one",
        )


def engine_version(facts: Facts) -> Iterator[Finding]:
    """Find an engine that is too old."""
    version = facts.engine.version
    if version and _numbers(version) < ENGINE:
        yield Finding(
            "the container engine is too old",
            f"it is {version}; 25.0 is the oldest that works",
            "update it: docs.docker.com/engine/install",
        )


def compose_version(facts: Facts) -> Iterator[Finding]:
    """Find a compose plugin that is missing or too old, or a missing buildx."""
    engine = facts.engine
    if engine.version is None:
        return
    if engine.compose is None:
        found = "docker compose is missing"
    elif _numbers(engine.compose) < COMPOSE:
        found = f"docker compose is {engine.compose}; 2.24 is the oldest that works"
    elif not engine.buildx:
        found = "docker buildx is missing, which builds the images"
    else:
        return
    yield Finding(
        "docker's plugins are missing or too old",
        found,
        "install or update the plugins: Debian packages docker-compose and docker-buildx, or "
        "docs.docker.com/compose/install",
    )


def ports_free(facts: Facts) -> Iterator[Finding]:
    """Find a port of the stack on which another program listens."""
    own = {container.name for container in facts.containers}
    for port in facts.ports:
        if own & set(port.containers):
            continue
        blocking = [each for each in port.listeners if each.address in BLOCKS_LOOPBACK]
        if port.containers:
            who = f"the container {port.containers[0]} publishes it"
            stop = f"docker stop {port.containers[0]}"
        elif blocking:
            listener = blocking[0]
            pid = re.match(r"pid (\d+)", listener.who)
            who = f"{listener.who or 'a process of another user'} listens on {listener.address}"
            stop = f"kill {pid[1]}" if pid else f"sudo lsof -i :{port.number} names it; stop it"
        else:
            continue
        yield Finding(
            f"port {port.number} is taken",
            who,
            f"{stop}; or take another one: {port.variable}={port.number + 1} in .env",
        )


def disk_space(facts: Facts) -> Iterator[Finding]:
    """Find a disk that is nearly full."""
    for disk in {disk.mount: disk for disk in facts.disks}.values():
        if disk.free < LITTLE or (disk.free < SOME and disk.free < SHARE * disk.size):
            yield Finding(
                f"the disk of {disk.what} is nearly full",
                f"{disk.free / GIB:.1f} of {disk.size / GIB:.1f} GiB are free on {disk.mount}",
                "make room: docker system df shows what images take, docker image prune removes "
                "those without a name; SPEND_RETENTION=90d deletes old rows",
            )


def clock(facts: Facts) -> Iterator[Finding]:
    """Find a wrong clock: keys expire early or late, and TLS fails."""
    offset = facts.observed.clock_offset
    if facts.now is not None and facts.engine.clock is not None:
        drift = facts.engine.clock - facts.now
        if abs(drift) > CLOCK_TOLERANCE:
            yield Finding(
                "the engine's clock and this machine's differ",
                f"the engine is {abs(drift):.0f} s {'ahead' if drift > 0 else 'behind'}",
                "restart Docker Desktop; on a server: sudo timedatectl set-ntp true",
            )
    if offset is not None and abs(offset) > CLOCK_TOLERANCE:
        yield Finding(
            "the clock is off",
            f"this machine is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} "
            "what a provider's answer says",
            "sudo timedatectl set-ntp true",
        )


def proxies(facts: Facts) -> Iterator[Finding]:
    """Find proxy variables that send requests within this machine to a proxy."""
    missing = _not_excepted(facts.exported, ("localhost", "127.0.0.1"))
    if missing:
        yield Finding(
            "the shell's proxy is asked for this machine's own addresses",
            f"{_proxy_of(facts.exported)} is set, and NO_PROXY does not name {', '.join(missing)}: "
            "curl localhost:4000 goes to the proxy",
            f"export NO_PROXY={','.join(_excepted(facts.exported) + missing)}",
        )
    missing = _not_excepted(facts.observed.proxies, INSIDE)
    if missing:
        yield Finding(
            "containers ask each other through a proxy",
            f"docker gives {_proxy_of(facts.observed.proxies)} to every container (proxies in "
            f"~/.docker/config.json), and its noProxy does not name {', '.join(missing)}",
            f'add to "noProxy" there: {",".join(missing)}; then ./run up',
        )


def permissions(facts: Facts) -> Iterator[Finding]:
    """Find files that containers have to read and cannot, and a socket that is open to all."""
    for path, mode in facts.modes.items():
        if path.endswith(".sock"):
            if mode & WRITTEN_BY_OTHERS:
                yield Finding(
                    "every user of this machine may use the container engine",
                    f"{path} has mode {mode:o}; whoever may use it has the rights of root",
                    f"sudo chmod 660 {path}",
                )
        elif not mode & READ_BY_OTHERS:
            right = "o+rX" if path.endswith("models") else "o+r"
            yield Finding(
                f"containers cannot read {path}",
                f"its mode is {mode:o}, and they run as users of their own",
                f"chmod {right} {path}",
            )


def ollama_listens_elsewhere(facts: Facts) -> Iterator[Finding]:
    """Find an Ollama of the host on loopback, where no container reaches it."""
    base = facts.ollama_base
    if "host.docker.internal" not in base or base == BUNDLED_OLLAMA:
        return
    seen = next((each for each in facts.observed.ollamas if each.url == base), None)
    if seen is None or seen.error is None:
        return
    addresses = [each.address for each in facts.ollama_listeners]
    if addresses and all(address in ("127.0.0.1", "::1") for address in addresses):
        yield Finding(
            "Ollama listens where no container reaches it",
            f"it listens on {addresses[0]}:11434; containers connect through the engine's bridge",
            "OLLAMA_HOST=0.0.0.0 ollama serve (with systemd: sudo systemctl edit ollama, "
            '[Service] Environment="OLLAMA_HOST=0.0.0.0"), behind a firewall',
        )


CHECKS = (
    engine_answers,
    engine_version,
    compose_version,
    ports_free,
    disk_space,
    clock,
    proxies,
    permissions,
    ollama_listens_elsewhere,
)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _value(variables: Mapping[str, str], name: str) -> str:
    return variables.get(name) or variables.get(name.lower()) or ""


def _proxy_of(variables: Mapping[str, str]) -> str:
    return next((name for name in PROXY_NAMES if _value(variables, name)), "")


def _excepted(variables: Mapping[str, str]) -> list[str]:
    return [name.strip() for name in _value(variables, "NO_PROXY").split(",") if name.strip()]


def _not_excepted(variables: Mapping[str, str], wanted: tuple[str, ...]) -> list[str]:
    """Return which hosts would be asked through the proxy; none without one."""
    excepted = _excepted(variables)
    if not _proxy_of(variables) or "*" in excepted:
        return []
    return [name for name in wanted if name not in excepted]

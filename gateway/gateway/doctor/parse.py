"""From the records that commands/doctor.sh writes to facts: name NUL content NUL, and so on.

The host's programs are handed over in their own words, because a shell is no place to parse JSON.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
from datetime import datetime
from typing import Any

from gateway.doctor.facts import Facts
from gateway.doctor.seen import (
    Container,
    DeploymentSeen,
    Disk,
    Engine,
    EnvFile,
    Listener,
    ModelStatus,
    Port,
    Service,
)

KIB = 1024
KNOWN = re.compile(r"^#?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
WARNING = re.compile(r'level=warning msg="(?P<text>.*)"')


def read_facts(stream: bytes) -> Facts:
    """Return what the records say; what is missing in them is missing in the facts."""
    records = _Records(stream)
    services = _services(records.json("compose_config"))
    complaint = records.text("compose_stderr")
    return Facts(
        now=_number(records.text("now")),
        known=tuple(dict.fromkeys(KNOWN.findall(records.text("env_example")))),
        exported=records.named("shell"),
        env_files=_env_files(records),
        ports=tuple(_port(records, variable) for variable in records.named("port")),
        ollama_listeners=_listeners(records.text("ollama_listeners")),
        disks=tuple(
            disk for what, text in records.named("disk").items() if (disk := _disk(what, text))
        ),
        modes={path: int(mode, 8) for path, mode in records.named("mode").items() if mode},
        engine=_engine(records),
        compose_error=None if services else complaint or None,
        compose_warnings=tuple(WARNING.findall(complaint)) if services else (),
        services=services,
        containers=_containers(records),
        model_status=_model_status(records.json("model_status")),
        deployments=tuple(_deployment(each) for each in records.json("deployments") or ()),
        weights=_weights(records.text("weights")),
        cluster=_version_line(records.text("cluster"), 1),
        postgres=_version_line(records.text("cluster"), 0),
        free_memory=_available(records.text("meminfo")),
        config=records.text("config") or None,
    )


class _Records:
    def __init__(self, stream: bytes) -> None:
        parts = stream.decode("utf-8", errors="replace").split("\0")
        self._content = dict(zip(parts[::2], parts[1::2], strict=False))

    def raw(self, name: str) -> str:
        return self._content.get(name, "")

    def text(self, name: str) -> str:
        return self.raw(name).strip()

    def named(self, kind: str) -> dict[str, str]:
        """Return the records `kind:NAME`, by NAME."""
        start = f"{kind}:"
        found = self._content.items()
        return {k.removeprefix(start): v.strip() for k, v in found if k.startswith(start)}

    def json(self, name: str) -> Any:  # noqa: ANN401 -- whatever a program of docker's answers
        with contextlib.suppress(ValueError):
            return json.loads(self.raw(name))
        return None


def _env_files(records: _Records) -> tuple[EnvFile, ...]:
    modes = records.named("env_mode")
    return tuple(
        EnvFile(
            path, int(modes[path], 8) if modes.get(path) else None, records.raw(f"env_file:{path}")
        )
        for path in records.named("env_file")
    )


def _port(records: _Records, variable: str) -> Port:
    number, _, listeners = records.text(f"port:{variable}").partition("\n")
    containers = records.text(f"publisher:{variable}").split()
    return Port(variable, int(number), _listeners(listeners), tuple(containers))


def _listeners(text: str) -> tuple[Listener, ...]:
    """Return the listeners of lines ADDRESS tab WHO; the address may be /proc/net/tcp's."""
    rows = (line.partition("\t") for line in text.splitlines() if line.strip())
    return tuple(Listener(_address(address), who.strip()) for address, _, who in rows)


def _address(written: str) -> str:
    """Return an address as people write it; the kernel's hex is in groups of 4 bytes, reversed."""
    if not re.fullmatch(r"[0-9A-F]{8}|[0-9A-F]{32}", written):
        return written
    groups = [written[at : at + 8] for at in range(0, len(written), 8)]
    packed = b"".join(bytes.fromhex(group)[::-1] for group in groups)
    address = ipaddress.ip_address(packed)
    return str(getattr(address, "ipv4_mapped", None) or address)


def _disk(what: str, text: str) -> Disk | None:
    """Return the last line of `df -Pk`: device, KiB, used, available, share, mount."""
    match = re.search(r"\s(\d+)\s+\d+\s+(\d+)\s+\d+%\s+(\S.*)$", text)
    return Disk(what, match[3], int(match[1]) * KIB, int(match[2]) * KIB) if match else None


def _engine(records: _Records) -> Engine:
    info = records.json("docker_info") or {}
    error = next(iter(info.get("ServerErrors") or ()), None) or records.text("docker_error") or None
    version = info.get("ServerVersion") or None
    return Engine(
        installed=bool(records.text("docker")),
        error=None if version else error,
        version=version,
        compose=records.text("compose") or None,
        buildx=bool(records.text("buildx")),
        memory=info.get("MemTotal") or None,
        clock=_timestamp(info.get("SystemTime") or ""),
    )


def _timestamp(text: str) -> float | None:
    """Return the seconds of an RFC 3339 time; docker's has nanoseconds."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    if not match:
        return None
    return datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00")).timestamp()


def _services(config: dict[str, Any] | None) -> dict[str, Service]:
    return {
        name: Service(
            image=service.get("image", ""),
            environment={k: v or "" for k, v in (service.get("environment") or {}).items()},
            memory=int(service["mem_limit"]) if service.get("mem_limit") else None,
            replicas=service.get("scale", 1),
        )
        for name, service in ((config or {}).get("services") or {}).items()
    }


def _containers(records: _Records) -> tuple[Container, ...]:
    logs = records.named("log")
    return tuple(
        _container(each, logs)
        for each in records.json("containers") or ()
        if each["Config"]["Labels"].get("com.docker.compose.oneoff") == "False"
    )


def _container(inspected: dict[str, Any], logs: dict[str, str]) -> Container:
    state, config = inspected["State"], inspected["Config"]
    health = state.get("Health") or {}
    outputs = [entry["Output"].strip() for entry in health.get("Log") or () if entry["Output"]]
    return Container(
        service=config["Labels"].get("com.docker.compose.service", ""),
        name=inspected["Name"].lstrip("/"),
        image=config["Image"],
        state=state["Status"],
        exit_code=state["ExitCode"],
        out_of_memory=state["OOMKilled"],
        health=health.get("Status", ""),
        reason=outputs[-1] if outputs and state["Status"] == "running" else "",
        log=logs.get(inspected["Id"], ""),
        environment=dict(each.split("=", 1) for each in config["Env"] or () if "=" in each),
    )


def _model_status(document: dict[str, Any] | None) -> ModelStatus | None:
    if not document:
        return None
    names = ("state", "model", "detail", "what_to_do")
    state, model, *rest = (str(document.get(name) or "") for name in names)
    return ModelStatus(state, model.removesuffix(":latest"), *rest)


def _deployment(row: dict[str, Any]) -> DeploymentSeen:
    return DeploymentSeen(
        alias=row["alias"],
        provider=row["provider"],
        model=row["model"],
        key=row["key"],
        reachable=row["reachable"],
        condition=row["condition"],
        reason=row["reason"] or "",
    )


def _weights(text: str) -> dict[str, int]:
    """Return the sizes of lines SIZE tab NAME@TAG.gguf, by the model's name."""
    rows = (line.partition("\t") for line in text.splitlines())
    names = ((name.removesuffix(".gguf"), size) for size, _, name in rows if size.isdigit())
    return {
        name.replace("@", ":") if "@" in name else f"{name}:latest": int(size)
        for name, size in names
    }


def _version_line(text: str, number: int) -> str | None:
    """Return the version in a line of: what the image has, what made the volume."""
    found = text.splitlines()
    match = re.search(r"\d+(\.\d+)?", found[number]) if number < len(found) else None
    return match[0] if match else None


def _available(meminfo: str) -> int | None:
    match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(match[1]) * KIB if match else None


def _number(text: str) -> float | None:
    return float(text) if text.isdigit() else None

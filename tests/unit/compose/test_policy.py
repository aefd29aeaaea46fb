"""What every service of the stack must keep to, read from the rendered compose file."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest

from support.stack import REPOSITORY

ONE_SHOTS = {"secrets", "migrate", "backup"}


def rendered(**environment: str) -> dict[str, Any]:
    """Return the compose file as compose understands it, with only the given variables set."""
    done = subprocess.run(
        ["docker", "compose", "config", "--format", "json"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "COMPOSE_ENV_FILES": "/dev/null", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


SERVICES: dict[str, dict[str, Any]] = rendered(COMPOSE_PROFILES="*")["services"]
LONG_RUNNING = {name: service for name, service in SERVICES.items() if name not in ONE_SHOTS}


def each_service(services: dict[str, dict[str, Any]]) -> pytest.MarkDecorator:
    """Return a parametrization over services by name."""
    return pytest.mark.parametrize("service", services.values(), ids=services.keys())


def test_every_port_is_published_on_loopback_only() -> None:
    """Nothing but the gateway and the backend is published, and both on 127.0.0.1."""
    published = {
        (name, port["host_ip"], port["published"])
        for name, service in SERVICES.items()
        for port in service.get("ports", [])
    }

    assert published == {
        ("litellm", "127.0.0.1", "4000"),
        ("backend-stub", "127.0.0.1", "8000"),
    }


def test_ports_come_from_the_environment() -> None:
    """LITELLM_PORT and BACKEND_PORT choose the ports on the host."""
    services = rendered(LITELLM_PORT="14000", BACKEND_PORT="18000")["services"]

    assert services["litellm"]["ports"][0]["published"] == "14000"
    assert services["backend-stub"]["ports"][0]["published"] == "18000"


@each_service(SERVICES)
def test_every_image_has_an_exact_tag(service: dict[str, Any]) -> None:
    """No image floats: each has a tag, and none is latest."""
    assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+", service["image"])


def base_images() -> list[str]:
    """Return each image that a Dockerfile of the stack names after FROM or COPY --from."""
    dockerfiles = [REPOSITORY / service["build"]["context"] for service in SERVICES.values()]
    text = "\n".join((folder / "Dockerfile").read_text() for folder in set(dockerfiles))
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    named = re.findall(r"^FROM (\S+)|^COPY .*--from=(\S+)", text, re.MULTILINE)
    return sorted({first or second for first, second in named} - stages)


def test_every_base_image_has_an_exact_tag_and_a_stand_in() -> None:
    """Each base image names a full version, and is on the bootstrap's list of stand-ins."""
    bootstrap = (REPOSITORY / "bootstrap/images.sh").read_text()
    listed = re.search(r"^BASE_IMAGES=\((.*)\)$", bootstrap, re.MULTILINE)

    assert listed
    assert base_images() == sorted(listed.group(1).split())
    assert all(re.search(r":\d+\.\d+", image) for image in base_images())


@each_service(SERVICES)
def test_every_service_is_hardened(service: dict[str, Any]) -> None:
    """Read-only root, no capabilities, no new privileges, no host namespaces."""
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert not {"pid", "ipc", "userns_mode"} & service.keys()
    assert service.get("network_mode") in {None, "none"}


@each_service(SERVICES)
def test_every_service_is_limited(service: dict[str, Any]) -> None:
    """Memory has a limit and logs rotate."""
    assert int(service["mem_limit"]) > 0
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


@each_service(LONG_RUNNING)
def test_every_long_running_service_restarts_and_has_a_health_check(
    service: dict[str, Any],
) -> None:
    """A health check that can fail: a command of the image, not a shell line that ends in true."""
    check = service["healthcheck"]

    assert service["restart"] == "unless-stopped"
    assert check["test"][0] == "CMD"
    assert not any("true" in word or "exit" in word for word in check["test"])
    assert check["retries"] <= 3


def test_the_gateway_has_time_to_write_its_spend_rows() -> None:
    """LiteLLM drains up to 30 s and then flushes, so it gets 45 s before it is killed."""
    assert SERVICES["litellm"]["stop_grace_period"] == "45s"


@pytest.mark.parametrize("name", ["backend-stub", "litellm"])
def test_a_service_in_python_hears_a_stop_while_it_starts(name: str) -> None:
    """Process 1 without a handler never sees a SIGTERM, so the grace period would pass in vain."""
    assert SERVICES[name]["init"] is True


def test_the_gateway_waits_for_the_migration_and_not_for_the_model() -> None:
    """The gateway starts after migrate succeeded; Ollama never holds it up."""
    assert SERVICES["litellm"]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully", "required": True}
    }


def test_a_secrets_volume_is_mounted_only_where_it_is_read() -> None:
    """The backend sees its virtual key alone, Postgres its passwords alone; restore writes both."""
    readers: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            if volume["type"] == "volume" and volume["source"].endswith("-secrets"):
                assert volume.get("read_only") or name in {"secrets", "backup"}
                readers.setdefault(volume["source"], set()).add(name)

    assert readers == {
        "gateway-secrets": {"secrets", "migrate", "litellm", "backup"},
        "postgres-secrets": {"secrets", "postgres"},
        "backend-secrets": {"secrets", "backend-stub", "backup"},
    }


def test_the_gateway_keeps_the_journal_of_costs() -> None:
    """The journal is a volume of its own: it outlives the container; only a backup sees it too."""
    mounted = {
        name: volume["target"]
        for name, service in SERVICES.items()
        for volume in service.get("volumes", [])
        if volume["source"] == "gateway-journal"
    }

    assert mounted == dict.fromkeys(("litellm", "backup"), "/var/lib/gateway-journal")


def test_the_database_is_on_a_network_without_a_way_out() -> None:
    """Postgres can be reached by the gateway, migrate and backup only, and reaches nobody."""
    document = rendered()

    assert document["networks"]["database"]["internal"] is True
    assert list(SERVICES["postgres"]["networks"]) == ["database"]
    members = {
        name for name, service in SERVICES.items() if "database" in service.get("networks", {})
    }
    assert members == {"postgres", "migrate", "litellm", "backup"}


def test_no_secret_has_a_default() -> None:
    """With nothing set, no variable that holds a key or a password has a value."""
    for name, service in SERVICES.items():
        for variable, value in (service.get("environment") or {}).items():
            if re.search(r"(KEY|PASSWORD|SECRET|TOKEN)$", variable):
                assert not value, f"{name}: {variable}"

"""What every service of the stack must keep to, read from the rendered compose file."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest

from gateway.config.providers import PROVIDERS
from support.stack import REPOSITORY

INIT_JOBS = {"secrets", "migrate", "backup"}
OF_A_PROVIDER = ("_API_KEY", "_API_BASE", "_MODEL")


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
LONG_RUNNING = {name: service for name, service in SERVICES.items() if name not in INIT_JOBS}


def each_service(services: dict[str, dict[str, Any]]) -> pytest.MarkDecorator:
    """Return a parametrization over services by name."""
    return pytest.mark.parametrize("service", services.values(), ids=services.keys())


def test_every_port_is_published_on_loopback_only() -> None:
    """Nothing but what people open is published, and all of it on 127.0.0.1."""
    published = {
        (name, port["host_ip"], port["published"])
        for name, service in SERVICES.items()
        for port in service.get("ports", [])
    }

    assert published == {
        ("gateway", "127.0.0.1", "4000"),
        ("backend-stub", "127.0.0.1", "8000"),
        ("prometheus", "127.0.0.1", "9090"),
        ("grafana", "127.0.0.1", "3000"),
    }


def test_the_bar_of_the_evaluation_may_have_its_names_of_0_1() -> None:
    """A `.env` of 0.1 keeps its bar; the new name wins over the old one."""

    def bar(**environment: str) -> str:
        services = rendered(**environment)["services"]
        return str(services["backend-stub"]["environment"]["EVALUATION_MIN_RECALL"])

    assert bar(GOLDEN_MIN_RECALL="0.3") == "0.3"
    assert bar(GOLDEN_MIN_RECALL="0.3", EVALUATION_MIN_RECALL="0.7") == "0.7"


def test_ports_come_from_the_environment() -> None:
    """Each service's variable chooses its port on the host."""
    ports = {"gateway": "LITELLM", "backend-stub": "BACKEND"}
    ports |= {"prometheus": "PROMETHEUS", "grafana": "GRAFANA"}
    given = {f"{name}_PORT": f"1{at}000" for at, name in enumerate(ports.values())}
    services = rendered(COMPOSE_PROFILES="*", **given)["services"]

    assert {name: services[name]["ports"][0]["published"] for name in ports} == dict(
        zip(ports, given.values(), strict=True)
    )


def test_without_a_profile_nothing_is_added() -> None:
    """Prometheus, Grafana and the scripted upstream come only when they are asked for."""
    plain = rendered()["services"].keys()

    assert SERVICES.keys() - plain == {"prometheus", "grafana", "scripted-upstream", "backup"}
    asked = rendered(COMPOSE_PROFILES="observability")["services"].keys()
    assert asked - plain == {"prometheus"}
    asked = rendered(COMPOSE_PROFILES="grafana")["services"].keys()
    assert asked - plain == {"prometheus", "grafana"}


def test_metrics_are_reached_from_the_stacks_network_alone() -> None:
    """They want no key, so their port is not published; Prometheus does not see the database."""
    gateway = SERVICES["gateway"]

    assert gateway["environment"]["METRICS_PORT"] == "9400"
    assert "9400" not in [port["published"] for port in gateway["ports"]]
    assert list(SERVICES["prometheus"]["networks"]) == ["default"]


def test_nobody_logs_in_to_grafana() -> None:
    """There is no admin and no form, so no default password; whoever gets there may look."""
    environment = SERVICES["grafana"]["environment"]

    assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert environment["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert environment["GF_AUTH_BASIC_ENABLED"] == "false"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


@each_service(SERVICES)
def test_every_image_has_an_exact_tag(service: dict[str, Any]) -> None:
    """No image floats: each has a tag, and none is latest."""
    assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+", service["image"])


def base_images() -> list[str]:
    """Return each image that a Dockerfile of the stack names after FROM or COPY --from."""
    built = [service for service in SERVICES.values() if "build" in service]
    dockerfiles = [REPOSITORY / service["build"]["context"] for service in built]
    text = "\n".join((folder / "Dockerfile").read_text() for folder in set(dockerfiles))
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", text, re.MULTILINE))
    stages |= {name for each in built for name in each["build"].get("additional_contexts", {})}
    named = re.findall(r"^FROM (\S+)|^COPY .*--from=(\S+)", text, re.MULTILINE)
    return sorted({first or second for first, second in named} - stages)


def test_every_base_image_has_an_exact_tag_and_a_substitute() -> None:
    """Each base image names a full version, and is on the bootstrap's list of substitutes."""
    script = """
        . bootstrap/images.sh
        printf '%s\\n' "${BASE_IMAGES[@]}" "${PROFILE_IMAGES[@]#*=}"
    """
    listed = subprocess.run(
        ["bash", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )

    assert base_images() == sorted(listed.stdout.split())
    assert all(re.search(r":v?\d+\.\d+", image) for image in base_images())


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


@each_service({name: service for name, service in LONG_RUNNING.items() if name != "ollama"})
def test_a_broken_service_is_unhealthy_after_30_seconds(service: dict[str, Any]) -> None:
    """Two checks that fail: the pause before each, and the time that each may take."""
    check = service["healthcheck"]

    assert check["retries"] * (seconds(check["interval"]) + seconds(check["timeout"])) <= 30


def seconds(duration: str) -> int:
    """Return one of compose's durations in seconds."""
    return int(duration.removesuffix("s"))


def test_the_gateway_has_time_to_write_its_spend_rows() -> None:
    """Open answers get 30 s, then the journal is brought in: 45 s until it is killed."""
    assert SERVICES["gateway"]["stop_grace_period"] == "45s"


@pytest.mark.parametrize("name", ["backend-stub", "gateway", "litellm"])
def test_a_service_in_python_hears_a_stop_while_it_starts(name: str) -> None:
    """Process 1 without a handler never sees a SIGTERM, so the grace period would pass in vain."""
    assert SERVICES[name]["init"] is True


def test_the_gateway_waits_for_the_migration_and_not_for_the_model() -> None:
    """Neither Ollama nor LiteLLM's proxy, which only has to have been started, holds it up."""
    assert SERVICES["gateway"]["depends_on"] == {
        "migrate": {"condition": "service_completed_successfully", "required": True},
        "litellm": {"condition": "service_started", "required": True},
    }


def test_the_migration_waits_for_a_healthy_database() -> None:
    """Then `up` ends within seconds when the database cannot start; docs/decisions.md has why."""
    assert SERVICES["migrate"]["depends_on"] == {
        "postgres": {"condition": "service_healthy", "required": True}
    }


def test_litellms_container_starts_during_the_migration() -> None:
    """The gateway's start would wait for it; LiteLLM itself waits for the gateway."""
    assert SERVICES["litellm"]["depends_on"] == {
        "secrets": {"condition": "service_completed_successfully", "required": True}
    }


def test_litellms_proxy_is_reached_through_the_gateway_alone() -> None:
    """It publishes nothing, and shares a network with the gateway and Postgres only."""
    assert "ports" not in SERVICES["litellm"]
    assert set(SERVICES["litellm"]["networks"]) == {"database", "litellm"}
    on_its_own = {name for name, each in SERVICES.items() if "litellm" in each.get("networks", {})}
    assert on_its_own == {"gateway", "litellm"}


def test_litellms_proxy_has_no_way_out() -> None:
    """Each of its networks ends inside this machine, so every call of a model is the gateway's."""
    networks = rendered()["networks"]

    assert all(networks[name]["internal"] for name in SERVICES["litellm"]["networks"])
    assert "extra_hosts" not in SERVICES["litellm"]


def test_litellms_proxy_holds_no_providers_key() -> None:
    """LiteLLM's container gets nothing that the gateway knows of providers."""
    known = SERVICES["litellm"]["environment"].keys()
    keys = {f"{provider.name}{suffix}" for provider in PROVIDERS for suffix in OF_A_PROVIDER}

    assert keys & SERVICES["gateway"]["environment"].keys()
    assert not known & keys


def test_the_name_of_the_gateway_in_version_01_still_leads_to_it() -> None:
    """A client in a container of the user's own that asks http://litellm:4000 is answered."""
    assert SERVICES["gateway"]["networks"]["default"]["aliases"] == ["litellm"]
    assert "default" not in SERVICES["litellm"]["networks"]


def test_a_secrets_volume_is_mounted_only_where_it_is_read() -> None:
    """The backend sees its virtual key alone, Postgres its passwords alone; restore writes both."""
    readers: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            if volume["type"] == "volume" and volume["source"].endswith("-secrets"):
                assert volume.get("read_only") or name in {"secrets", "backup"}
                readers.setdefault(volume["source"], set()).add(name)

    assert readers == {
        "gateway-secrets": {"secrets", "migrate", "gateway", "litellm", "backup"},
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

    assert mounted == dict.fromkeys(("gateway", "backup"), "/var/lib/gateway-journal")


def test_the_database_is_on_a_network_without_a_way_out() -> None:
    """Postgres is reached by what needs it, and reaches nobody."""
    document = rendered()

    assert document["networks"]["database"]["internal"] is True
    assert list(SERVICES["postgres"]["networks"]) == ["database"]
    members = {
        name for name, service in SERVICES.items() if "database" in service.get("networks", {})
    }
    assert members == {"postgres", "migrate", "gateway", "litellm", "backup"}


def test_no_secret_has_a_default() -> None:
    """With nothing set, no variable that holds a key or a password has a value."""
    for name, service in SERVICES.items():
        for variable, value in (service.get("environment") or {}).items():
            if re.search(r"(KEY|PASSWORD|SECRET|TOKEN)$", variable):
                assert not value, f"{name}: {variable}"

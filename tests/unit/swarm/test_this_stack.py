"""The stack file of this very project: docker-compose.yml with docker-compose.swarm.yml."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
import yaml

from gateway.config.problems import ConfigurationError
from gateway.swarm.stack import Stack, convert
from support.stack import REPOSITORY

PROVIDER_KEY = "sk-never$shown-0123456789"
CONFIG = "litellm/litellm_config.yaml"


def rendered(**environment: str) -> Stack:
    """Return the stack of the checkout with only these variables set."""
    done = subprocess.run(
        ["docker", "compose", "config", "--format", "json"],
        cwd=REPOSITORY,
        env={
            "PATH": os.environ["PATH"],
            "COMPOSE_ENV_FILES": "/dev/null",
            "COMPOSE_FILE": "docker-compose.yml:docker-compose.swarm.yml",
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return convert(json.loads(done.stdout), {str(REPOSITORY / CONFIG): "0123456789ab"})


STACK = rendered(SWARM_PORT="4000", OPENAI_API_KEY=PROVIDER_KEY, COMPOSE_PROFILES="faults")
SERVICES: dict[str, dict[str, Any]] = STACK.file["services"]


def test_the_docker_command_takes_it() -> None:
    """Docker's own schema of a stack file has nothing against it."""
    done = subprocess.run(
        ["docker", "stack", "config", "--compose-file", "-"],
        env={"PATH": os.environ["PATH"]},
        input=yaml.safe_dump(dict(STACK.file)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.safe_load(done.stdout)["services"].keys() == SERVICES.keys()


def test_every_service_is_as_hardened_as_on_one_machine() -> None:
    """No capabilities, a read-only root, no new privileges, a limit of memory, rotated logs."""
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert service["entrypoint"] == ["setpriv", "--no-new-privs"], name
        assert service["command"], name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name


def test_the_edge_alone_publishes_a_port() -> None:
    """One port, on the node itself, since the routing mesh needs what a kernel may lack."""
    published = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}

    port = {"target": 4000, "protocol": "tcp", "mode": "host", "published": 4000}
    assert published == {"edge": [port]}


def test_without_a_port_it_is_refused() -> None:
    """What listens on every address does so because the user has said so."""
    with pytest.raises(ConfigurationError, match="set SWARM_PORT"):
        rendered()


def test_no_key_stands_in_it() -> None:
    """A provider's key is a swarm secret, with the value that the user wrote."""
    assert PROVIDER_KEY not in str(STACK.file)
    assert PROVIDER_KEY.replace("$", "$$") not in str(STACK.file)
    assert [each.value for each in STACK.given] == [PROVIDER_KEY]


def test_each_service_says_where_it_runs_and_how_it_is_replaced() -> None:
    """A gateway starts first; what has a port or data stops first; a failure is rolled back."""
    orders = {}
    for name, service in SERVICES.items():
        deploy = service["deploy"]
        assert deploy["placement"]["constraints"], name
        assert deploy["endpoint_mode"] == "dnsrr", name
        if update := deploy.get("update_config"):
            assert update["failure_action"] == "rollback", name
            assert deploy["rollback_config"]["order"] == update["order"], name
            orders[name] = update["order"]

    stops_first = {"edge", "ollama", "postgres"}
    starts_first = {"gateway", "litellm", "backend-stub"}
    assert orders == dict.fromkeys(stops_first, "stop-first") | dict.fromkeys(
        starts_first, "start-first"
    )


def test_virtual_addresses_can_be_chosen() -> None:
    """SWARM_ENDPOINT_MODE is for nodes whose kernels have IPVS."""
    services = rendered(SWARM_PORT="4000", SWARM_ENDPOINT_MODE="vip").file["services"]

    assert {each["deploy"]["endpoint_mode"] for each in services.values()} == {"vip"}


def test_published_database_ports_are_refused() -> None:
    """docker-compose.publish.yml is for one machine: its ports are on loopback."""
    files = "docker-compose.yml:docker-compose.publish.yml:docker-compose.swarm.yml"
    with pytest.raises(ConfigurationError) as refused:
        rendered(SWARM_PORT="4000", COMPOSE_FILE=files)

    refusals = {problem.where for problem in refused.value.problems}
    assert refusals == {"postgres: ports", "ollama: ports"}

"""Coming up, coming up again, going down, and keeping away from other stacks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import requests

from support.stack import MODEL, REPOSITORY, UNREACHABLE, Stack

SERVICES = ("backend-stub", "gateway", "litellm", "ollama", "postgres")
NETWORK_WORDS = ("pulling", "fetching", "downloading", "substitute")


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_healthy_after_up(stack: Stack, service: str) -> None:
    """When `./run up` returns, the health check of every service has passed."""
    assert stack.health(service) == "healthy"


def test_status_shows_service_url_health_and_model(stack: Stack) -> None:
    """One line a service, with its address where it has one and the loaded model."""
    lines = {line.split()[0]: line for line in stack.run("status").stdout.splitlines() if line}

    assert set(SERVICES) <= lines.keys()
    assert all("healthy" in lines[service] for service in SERVICES)
    assert f"http://127.0.0.1:{stack.litellm_port}" in lines["gateway"]
    assert f"http://127.0.0.1:{stack.backend_port}" in lines["backend-stub"]
    assert MODEL in lines["ollama"]
    assert "ready" in lines["ollama"]


def test_status_says_the_day_for_people_and_for_scripts(stack: Stack) -> None:
    """A key that is blocked, requests, versions: in lines, and as one JSON object."""
    stack.run("key", "create", "status-test", "--budget", "1")
    stack.run("key", "block", "status-test")
    lines = stack.run("status").stdout
    document = json.loads(stack.run("status", "--json").stdout)
    stack.run("key", "delete", "status-test")

    assert re.search(r"^today +\d+ requests, \d+ failed, [\d.]+ USD$", lines, re.MULTILINE)
    assert re.search(r"^database +\d+ MB; keys: .*status-test", lines, re.MULTILINE)
    assert {each["service"]: each["state"] for each in document["services"]} == dict.fromkeys(
        SERVICES, "healthy"
    )
    assert document["services"][1]["url"] == stack.gateway_url
    assert "status-test" in document["today"]["keys_blocked"]
    assert document["today"]["database_bytes"] > 1_000_000
    assert document["today"]["versions"].keys() == {"gateway", "LiteLLM", "PostgreSQL"}


def test_logs_of_one_request_come_from_every_service_by_time(stack: Stack) -> None:
    """`./run logs --request ID` shows who wrote of it, in order, and fails for an unknown id."""
    answer = requests.post(f"{stack.backend_url}/extract", json={"text": "Der Hund."}, timeout=180)
    request_id = answer.headers["x-request-id"]

    lines = stack.run("logs", "--request", request_id).stdout.splitlines()
    unknown = stack.run("logs", "--request", "0" * 36, check=False)

    services = [line.split("-1 ")[0] for line in lines]
    times = [line.split("| ")[1].split()[0] for line in lines]
    assert {"backend-stub", "gateway"} <= set(services)
    assert times == sorted(times)
    assert all(request_id in line for line in lines)
    assert unknown.returncode == 1
    assert "no log line has 0000" in unknown.stderr


@dataclass(frozen=True)
class SecondUp:
    """What came of `./run up` on a stack that is up.

    Attributes:
        before: the container of each service before it.
        after: the same after it.
        said: its standard error.
    """

    before: list[str]
    after: list[str]
    said: str


@pytest.fixture(scope="module")
def second_up(stack: Stack) -> SecondUp:
    """Come up again, once for all that is said of it."""
    before = [stack.container(service) for service in SERVICES]
    said = stack.run("up").stderr
    return SecondUp(before, [stack.container(service) for service in SERVICES], said)


def test_a_second_up_makes_and_fetches_nothing(second_up: SecondUp) -> None:
    """Coming up again leaves every container as it is and asks no registry for anything."""
    assert second_up.after == second_up.before
    assert not [word for word in NETWORK_WORDS if word in second_up.said], second_up.said


def test_up_says_what_to_try_next(stack: Stack, second_up: SecondUp) -> None:
    """The last lines are a curl command with this stack's own address, and it works."""
    command = re.search(r"^  (curl .*/extract)$", second_up.said, re.MULTILINE)

    assert command
    assert f"127.0.0.1:{stack.backend_port}" in command.group(1)


def test_where_the_library_is_out_of_reach_the_embedded_model_is_said_plainly(
    second_up: SecondUp,
) -> None:
    """`./run up` serves the embedded model there, and says that and what to set."""
    said = second_up.said

    assert f"cannot be reached from here: serving the small embedded model {MODEL}" in said
    assert "OLLAMA_REGISTRY" in said


def test_nothing_but_gateway_and_backend_is_published(stack: Stack) -> None:
    """Postgres, Ollama and LiteLLM's proxy have no port on this machine."""
    published = {
        service: [p for p in stack.inspect(service)["NetworkSettings"]["Ports"].values() if p]
        for service in SERVICES
    }

    assert published["postgres"] == published["ollama"] == published["litellm"] == []
    for service in ("gateway", "backend-stub"):
        assert [address["HostIp"] for ports in published[service] for address in ports] == [
            "127.0.0.1"
        ]


def test_down_keeps_the_data_and_destroy_removes_it_after_asking(
    make_stack: Callable[..., Stack],
) -> None:
    """A table made before `down` is there after `up`; `destroy` wants the project's name typed."""
    stack = make_stack()
    stack.compose("up", "--detach", "--no-build", "--wait", "postgres")
    stack.sql("CREATE TABLE kept (n int)")
    stack.run("down")
    stack.compose("up", "--detach", "--no-build", "--wait", "postgres")
    assert stack.sql("SELECT * FROM kept") == []

    refused = stack.run("destroy", stdin="yes\n", check=False)
    assert refused.returncode == 1
    assert "not removed" in refused.stderr
    assert volumes(stack)

    stack.run("destroy", stdin=f"{stack.project}\n")
    assert not volumes(stack)


def volumes(stack: Stack) -> list[str]:
    """Return the volumes of this project."""
    label = f"label=com.docker.compose.project={stack.project}"
    return stack.command("docker", "volume", "ls", "--quiet", "--filter", label).stdout.split()


def test_plain_compose_fails_a_model_pull_loudly_and_the_gateway_is_healthy(
    make_stack: Callable[..., Stack],
) -> None:
    """If a model cannot be downloaded, status says why, and the gateway is not affected."""
    stack = make_stack(OLLAMA_MODEL="no-such-model")

    stack.compose("up", "--detach", "--no-build")

    stack.wait_for("gateway", "healthy", seconds=120)
    stack.wait_for("ollama", "unhealthy", seconds=180)
    lines = stack.run("status").stdout
    assert re.search(r"^gateway +healthy", lines, re.MULTILINE)
    assert re.search(r"^ollama +unhealthy.*no-such-model", lines, re.MULTILINE)
    log = stack.logs("ollama")
    assert "OLLAMA_REGISTRY" in log
    assert UNREACHABLE in log


def test_the_compose_file_needs_no_env_file_and_renders_without_a_warning(stack: Stack) -> None:
    """With nothing set at all, compose has no question and no complaint."""
    done = stack.command(
        "env", "-i", "PATH=/usr/bin:/bin", "COMPOSE_ENV_FILES=/dev/null",
        "docker", "compose", "config", "--format", "json",
    )  # fmt: skip

    assert done.stderr == ""
    assert json.loads(done.stdout)["name"] == "litellm-proxy"
    assert (REPOSITORY / ".env.example").is_file()

"""What is found about the stack's containers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.doctor.examine import examine
from gateway.doctor.seen import Container, Service
from unit.doctor.healthy import ENVIRONMENTS, HEALTHY, container, only, without

FAILED = Container("migrate", "litellm-proxy-migrate-1", "x", "exited", 1, log="none is LiteLLM's")


def test_a_stack_that_is_down_is_one_finding() -> None:
    """No container at all: one line, and what starts it."""
    facts = without("backend-stub", "gateway", "litellm", "ollama", "postgres")

    assert only("stack_runs", facts).fix == "./run up"


def test_a_stack_that_was_stopped_is_the_same() -> None:
    """Containers that ended well are no failures of their own."""
    stopped = tuple(replace(each, state="exited", exit_code=143) for each in HEALTHY.containers)

    assert only("stack_runs", replace(HEALTHY, containers=stopped, ports=()))


def test_a_half_started_stack_names_what_is_missing() -> None:
    """One service without a container is named."""
    assert only("stack_runs", without("backend-stub")).what == "backend-stub is not running"


def test_a_model_server_that_was_left_out_is_not_missed() -> None:
    """OLLAMA_REPLICAS=0 means that there is to be none."""
    facts = without("ollama")
    services = {**facts.services, "ollama": Service("x", replicas=0)}
    local = tuple(d for d in facts.observed.deployments if d.alias == "extraction-model-openai")
    observed = replace(facts.observed, deployments=local, ollamas=())

    assert examine(replace(facts, services=services, observed=observed, model_status=None)) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"health": "unhealthy", "reason": "no price"}, "gateway is unhealthy"),
        ({"state": "restarting", "exit_code": 2, "log": "no price"}, "gateway starts again"),
    ],
)
def test_a_service_in_trouble_is_quoted(changes: dict[str, object], what: str) -> None:
    """Health check or log say why; where to look further follows."""
    facts = container(HEALTHY, "gateway", **changes)
    found = dict(examine(facts))

    assert found["services_healthy"].what.startswith(what)
    assert found["services_healthy"].evidence == "no price"


def test_a_failed_migration_is_found_while_the_rest_is_down() -> None:
    """The init job's last words are the evidence, for example a database of another app."""
    facts = without("backend-stub", "gateway")
    found = examine(replace(facts, containers=(*facts.containers, FAILED)))

    assert ("services_healthy", "none is LiteLLM's") in [(n, f.evidence) for n, f in found]


def test_a_starting_service_is_no_finding() -> None:
    """A download or a start that goes on is not wrong."""
    assert examine(container(HEALTHY, "ollama", health="starting")) == []


def test_a_service_that_waits_for_another_is_no_finding() -> None:
    """While the gateway starts, the backend's container is made and not started."""
    waiting = container(
        container(HEALTHY, "gateway", health="starting"), "backend-stub", state="created"
    )

    assert examine(replace(waiting, ports=())) == []


def test_a_service_that_nobody_started_is_found() -> None:
    """Once the rest is up, a container that was only created is reported."""
    facts = container(HEALTHY, "backend-stub", state="created", health="")

    assert "backend-stub does not run" in only("services_healthy", facts).what


def test_a_container_without_memory_is_found() -> None:
    """The kernel's kill at the memory limit is reported, with the variable that raises it."""
    assert (
        "OLLAMA_MEMORY"
        in only("memory_limits", container(HEALTHY, "ollama", out_of_memory=True)).fix
    )


def test_settings_that_the_running_service_has_not_are_named() -> None:
    """A variable changed in .env after the start is named, and its value is not."""
    environment = ENVIRONMENTS["gateway"] | {"OPENAI_API_KEY": "sk-earlier"}
    finding = only("settings_are_used", container(HEALTHY, "gateway", environment=environment))

    assert finding.evidence == "changed since its start: OPENAI_API_KEY"


def test_the_model_that_up_chose_itself_is_no_change() -> None:
    """Where no library is in reach `./run up` serves another model than .env says."""
    facts = HEALTHY
    for service in ("gateway", "ollama"):
        environment = ENVIRONMENTS[service] | {"OLLAMA_MODEL": "smollm2:135m"}
        facts = container(facts, service, environment=environment)

    assert examine(facts) == []


def test_a_service_of_an_older_image_is_found() -> None:
    """After an update of the checkout the old container still runs."""
    facts = container(HEALTHY, "backend-stub", image="litellm-proxy-service/backend-stub:0.0.9")

    assert "0.0.9" in only("settings_are_used", facts).evidence


def test_a_volume_of_another_postgres_is_found() -> None:
    """Files of PostgreSQL 16 are not opened by 17."""
    assert "version 16" in only("volume_of_this_version", replace(HEALTHY, cluster="16")).evidence


def test_litellms_proxy_needs_a_running_gateway() -> None:
    """Its pages and other APIs are missed, though chat goes on without it."""
    finding = only("stack_runs", without("litellm"))
    assert finding.what == "litellm is not running"

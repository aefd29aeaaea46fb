"""What is found on the machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.doctor.examine import examine
from gateway.doctor.facts import Facts
from gateway.doctor.seen import Disk, Engine, Listener, OllamaSeen, Port
from unit.doctor.healthy import GIB, HEALTHY, given, only, seen


@pytest.mark.parametrize(
    ("engine", "fix"),
    [
        (Engine(installed=False, error="there is no docker command"), "install Docker Engine"),
        (Engine(error="permission denied while trying to connect"), "usermod -aG docker"),
        (Engine(error="Cannot connect to the Docker daemon"), "systemctl start docker"),
    ],
)
def test_an_engine_that_does_not_answer_is_reported_with_its_reason(
    engine: Engine, fix: str
) -> None:
    """Not installed, not allowed and not started want three different things."""
    assert fix in only("engine_answers", Facts(engine=engine)).fix


def test_an_old_engine_is_found() -> None:
    """An engine 24 is reported with the version that is needed."""
    facts = replace(HEALTHY, engine=replace(HEALTHY.engine, version="24.0.7"))

    assert "24.0.7" in only("engine_version", facts).evidence


@pytest.mark.parametrize(
    ("change", "evidence"),
    [
        ({"compose": "2.17.3"}, "2.17.3"),
        ({"compose": None}, "docker compose is missing"),
        ({"buildx": False}, "buildx is missing"),
    ],
)
def test_plugins_that_are_old_or_missing_are_found(
    change: dict[str, str | None], evidence: str
) -> None:
    """An old compose, none at all, and a missing buildx are named."""
    facts = replace(HEALTHY, engine=replace(HEALTHY.engine, **change))  # type: ignore[arg-type]

    assert evidence in only("compose_version", facts).evidence


def test_a_taken_port_names_the_process() -> None:
    """The listener is named by process id and command, with how to stop it or use another port."""
    listener = Listener("127.0.0.1", "pid 77 (python3 -m http.server 4000)")
    finding = only("ports_free", replace(HEALTHY, ports=(Port("LITELLM_PORT", 4000, (listener,)),)))

    assert "http.server" in finding.evidence
    assert "kill 77" in finding.fix
    assert "LITELLM_PORT=4001" in finding.fix


def test_a_port_that_another_container_has_names_the_container() -> None:
    """docker-proxy listens; the container behind it is what has to be stopped."""
    listener = Listener("0.0.0.0", "pid 9 (docker-proxy)")
    port = Port("BACKEND_PORT", 8000, (listener,), ("shop-web-1",))

    assert "docker stop shop-web-1" in only("ports_free", replace(HEALTHY, ports=(port,))).fix


def test_a_listener_on_another_address_is_in_nobodys_way() -> None:
    """The stack binds 127.0.0.1; what listens on another interface alone does no harm."""
    ports = (Port("LITELLM_PORT", 4000, (Listener("192.168.1.5", "pid 1 (x)"),)),)

    assert examine(replace(HEALTHY, ports=ports)) == []


def test_a_nearly_full_disk_is_found_once() -> None:
    """Two folders on one disk are one finding; a large disk with 5 % free is not full."""
    full = (Disk("this folder", "/", 100 * GIB, GIB), Disk("data", "/", 100 * GIB, GIB))

    assert "1.0 of 100.0 GiB" in only("disk_space", replace(HEALTHY, disks=full)).evidence
    assert examine(replace(HEALTHY, disks=(Disk("x", "/", 2000 * GIB, 90 * GIB),))) == []


def test_an_engine_whose_clock_stood_still_is_found() -> None:
    """A virtual machine's clock that lags behind the host's is reported."""
    facts = replace(HEALTHY, engine=replace(HEALTHY.engine, clock=999_000.0))

    assert "1000 s behind" in only("clock", facts).evidence


def test_a_clock_that_differs_from_a_providers_is_found() -> None:
    """The date of a provider's answer shows that this clock is off."""
    assert "300 s ahead" in only("clock", seen(clock_offset=300.0)).evidence


def test_a_proxy_of_the_shell_without_exceptions_is_found() -> None:
    """Curl to localhost would go to the proxy; the line to set keeps what is there."""
    exported = {"https_proxy": "http://proxy:3128", "no_proxy": "intranet,127.0.0.1"}
    finding = only("proxies", replace(HEALTHY, exported=exported))

    assert finding.fix == "export NO_PROXY=intranet,127.0.0.1,localhost"


def test_a_proxy_between_containers_is_found() -> None:
    """What docker hands to every container must leave out the services themselves."""
    inside = {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "localhost,127.0.0.1,litellm"}

    assert "noProxy does not name ollama" in only("proxies", seen(proxies=inside)).evidence
    assert examine(seen(proxies=inside | {"NO_PROXY": "*"})) == []


def test_a_config_that_containers_cannot_read_is_found() -> None:
    """With umask 077 the checkout's files are closed to the containers' users."""
    facts = replace(HEALTHY, modes={"litellm/litellm_config.yaml": 0o600})

    assert only("permissions", facts).fix == "chmod o+r litellm/litellm_config.yaml"


def test_a_socket_that_is_open_to_all_is_found() -> None:
    """Mode 666 of the engine's socket makes every user root."""
    assert (
        "chmod 660"
        in only("permissions", replace(HEALTHY, modes={"/var/run/docker.sock": 0o666})).fix
    )


def test_an_ollama_on_the_hosts_loopback_is_found() -> None:
    """It runs, but where no container reaches it; the address and the cure are named, once."""
    base = "http://host.docker.internal:11434"
    facts = given("gateway", OLLAMA_API_BASE=base)
    facts = replace(
        facts,
        ollama_listeners=(Listener("127.0.0.1", "pid 5 (ollama serve)"),),
        observed=replace(facts.observed, ollamas=(OllamaSeen(base, error="refused"),)),
    )
    assert "OLLAMA_HOST=0.0.0.0" in only("ollama_listens_elsewhere", facts).fix

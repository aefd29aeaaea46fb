"""How the records of the host become facts."""

from __future__ import annotations

import json

from gateway.doctor.parse import read_facts
from gateway.doctor.seen import Disk, EnvFile, Listener, ModelStatus, Port


def inspected(**labels: str) -> dict[str, object]:
    """Return what docker inspect says of a container with these labels."""
    health = {"Status": "unhealthy", "Log": [{"Output": "one\n"}, {"Output": "two\n"}]}
    state = {"Status": "running", "ExitCode": 0, "OOMKilled": False, "Health": health}
    names = {f"com.docker.compose.{name}": value for name, value in labels.items()}
    config = {"Image": "i:1", "Env": ["A=1", "B=x=y"], "Labels": names}
    return {"Id": "abc", "Name": "/p-gateway-1", "State": state, "Config": config}


def records(**contents: object) -> bytes:
    """Return a stream with these records; __ in a name stands for a colon."""
    texts = {
        name.replace("__", ":"): value if isinstance(value, str) else json.dumps(value)
        for name, value in contents.items()
    }
    return "".join(f"{name}\0{text}\0" for name, text in texts.items()).encode()


def test_nothing_seen_is_nothing_known() -> None:
    """An empty stream makes facts on which no service is known and docker is not installed."""
    facts = read_facts(b"")

    assert not facts.engine.installed
    assert facts.services == {}


def test_an_env_file_keeps_every_byte() -> None:
    """Line ends and blanks reach the checks as they are."""
    stream = b"env_file:my env\x00A=1 \r\n\x00env_mode:my env\x00640\n\x00"

    assert read_facts(stream).env_files == (EnvFile("my env", 0o640, "A=1 \r\n"),)


def test_listeners_of_the_kernels_table_are_read() -> None:
    """Hex addresses of IPv4, IPv6 and the mix of both become what people write."""
    text = "4000\n0100007F\tpid 7 (x)\n" + "0" * 32 + "\t\n0000000000000000FFFF00000100007F\t\n"
    facts = read_facts(records(port__LITELLM_PORT=text, publisher__LITELLM_PORT="a-1\n"))

    assert facts.ports == (
        Port(
            "LITELLM_PORT",
            4000,
            (Listener("127.0.0.1", "pid 7 (x)"), Listener("::", ""), Listener("127.0.0.1", "")),
            ("a-1",),
        ),
    )


def test_df_is_read_with_a_mount_that_has_blanks() -> None:
    """The last line of df has the sizes in KiB and the mount point."""
    text = (
        "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x y 100 60 40 60% /my disk"
    )

    assert read_facts(records(disk__data=text)).disks == (Disk("data", "/my disk", 102400, 40960),)


def test_the_engines_own_words_are_read() -> None:
    """Version, memory and time of docker info; the reason where it does not answer."""
    info = {
        "ServerVersion": "26.1.5",
        "MemTotal": 8,
        "SystemTime": "1970-01-01T00:01:00.123456789Z",
    }
    engine = read_facts(records(docker="yes", docker_info=info, compose="2.26.1-4\n")).engine
    assert (engine.version, engine.memory, engine.clock) == ("26.1.5", 8, 60.0)
    assert engine.error is None

    info = {"ServerVersion": "", "ServerErrors": ["permission denied"]}
    assert read_facts(records(docker="yes", docker_info=info)).engine.error == "permission denied"


def test_compose_complaints_are_errors_only_without_its_answer() -> None:
    """A warning with an answer is a warning; words without an answer are an error."""
    said = 'time="x" level=warning msg="The \\"w\\" variable is not set."'
    config = {"services": {"ollama": {"image": "o", "scale": 0, "mem_limit": "7"}}}
    facts = read_facts(records(compose_config=config, compose_stderr=said))

    assert facts.compose_error is None
    assert facts.compose_warnings == ('The \\"w\\" variable is not set.',)
    assert (facts.services["ollama"].replicas, facts.services["ollama"].memory) == (0, 7)
    assert read_facts(records(compose_stderr="bad line\n")).compose_error == "bad line"


def test_containers_are_read_without_those_of_a_single_run() -> None:
    """State, health and environment of each service's container; `compose run` leaves none."""
    facts = read_facts(
        records(
            containers=[
                inspected(service="gateway", oneoff="False"),
                inspected(oneoff="True"),
                inspected(),
            ]
        )
    )

    [container] = facts.containers
    assert (container.service, container.name, container.health) == (
        "gateway",
        "p-gateway-1",
        "unhealthy",
    )
    assert container.reason == "two"
    assert container.environment == {"A": "1", "B": "x=y"}


def test_the_model_servers_state_is_read() -> None:
    """A model is named as people write it, without the tag that they leave out."""
    status = read_facts(
        records(
            model_status={
                "state": "failed",
                "model": "x:latest",
                "detail": "no",
                "what_to_do": "set",
            }
        )
    ).model_status

    assert status == ModelStatus("failed", "x", "no", "set")


def test_weights_are_named_as_their_models() -> None:
    """NAME@TAG.gguf is NAME:TAG, NAME.gguf the latest."""
    facts = read_facts(records(weights="5\tsmollm2@135m.gguf\n7\tmine.gguf\n"))

    assert facts.weights == {"smollm2:135m": 5, "mine:latest": 7}


def test_versions_of_image_and_volume_are_read() -> None:
    """The first line is the image's, the second the volume's; a new volume has none."""
    facts = read_facts(records(cluster="postgres (PostgreSQL) 17.12 (Debian)\n16\n"))
    assert (facts.postgres, facts.cluster) == ("17.12", "16")
    assert read_facts(records(cluster="postgres (PostgreSQL) 17.12\n")).cluster is None

"""From compose's configuration to a swarm's: what is kept, kept in another way, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.config.problems import ConfigurationError
from gateway.swarm.mounts import SHARED_MEMORY
from gateway.swarm.stack import Stack, convert
from support.documents import table_rows, text_of

CONFIG = "/checkout/litellm_config.yaml"
GATEWAY = "litellm-proxy-service/gateway:1.0.0"


def document(**service: Any) -> dict[str, Any]:
    """Return a configuration of one service, as compose prints it, with the settings given."""
    usual = {"image": GATEWAY, "entrypoint": None, "deploy": {"replicas": 1}, "networks": {}}
    networks = {"default": {"name": "p_default", "ipam": {}}}
    return {"name": "p", "services": {"gateway": usual | service}, "networks": networks}


def converted(**service: Any) -> dict[str, Any]:
    """Return the service of the stack that these settings become."""
    found: dict[str, Any] = stack(document(**service)).file["services"]["gateway"]
    return found


def stack(asked: dict[str, Any]) -> Stack:
    """Return the stack, with a checksum for the one file that tests mount."""
    return convert(asked, {CONFIG: "0123456789ab"})


def refusal(**service: Any) -> str:
    """Return why these settings are refused."""
    with pytest.raises(ConfigurationError) as refused:
        converted(**service)
    return str(refused.value)


def test_what_swarm_knows_is_kept_as_it_is() -> None:
    """Hardening, logs, health checks and stop times need no translation."""
    kept = {
        "cap_drop": ["ALL"],
        "read_only": True,
        "init": True,
        "stop_grace_period": "45s",
        "healthcheck": {"test": ["CMD", "gateway", "health"], "start_interval": "200ms"},
        "logging": {"driver": "json-file", "options": {"max-size": "10m"}},
    }

    assert converted(**kept).items() >= kept.items()


def published_on_loopback() -> None:
    """A loopback port would listen on every address."""
    port = {"mode": "ingress", "host_ip": "127.0.0.1", "target": 4000, "published": "4000"}

    assert "would listen on every address" in refusal(ports=[port | {"protocol": "tcp"}])


def published_nowhere() -> None:
    """The edge publishes only the port that the user has chosen."""
    port = {"mode": "host", "target": 4000, "protocol": "tcp"}

    assert "set SWARM_PORT" in refusal(ports=[port])
    assert converted(ports=[port | {"published": "80"}])["ports"] == [port | {"published": 80}]


def no_new_privileges() -> None:
    """The first program of a container sets it; without that program the service is refused."""
    wanted = ["no-new-privileges:true"]
    hardening = ["setpriv", "--no-new-privs"]

    assert "no-new-privileges:true is lost" in refusal(security_opt=wanted)
    service = converted(security_opt=wanted, entrypoint=hardening)
    assert "security_opt" not in service
    assert service["entrypoint"] == hardening
    assert "seccomp" in refusal(security_opt=["seccomp=mine.json"])


def memory_limit() -> None:
    """A limit of memory becomes one of the deployment's."""
    service = converted(mem_limit="1000")

    assert service["deploy"]["resources"] == {"limits": {"memory": "1000"}}
    assert "mem_limit" not in service


def shared_memory() -> None:
    """The size of shared memory becomes that of a tmpfs in its place."""
    mount = {"type": "tmpfs", "target": SHARED_MEMORY, "tmpfs": {"size": 128}}

    assert converted(shm_size="128")["volumes"] == [mount]


def tmpfs() -> None:
    """A tmpfs is written in the long form; an owner, which that form lacks, is refused."""
    assert converted(tmpfs=["/run/x"])["volumes"] == [{"type": "tmpfs", "target": "/run/x"}]
    assert "uid=999" in refusal(tmpfs=["/run/x:uid=999"])


def cpu_shares() -> None:
    """Share that differ from the usual ones are refused."""
    assert "Swarm has no CPU shares" in refusal(cpu_shares=256)
    assert "cpu_shares" not in converted(cpu_shares=1024)


def runtime() -> None:
    """Another runtime than the usual one is refused."""
    assert "OLLAMA_RUNTIME" in refusal(runtime="nvidia")
    assert "runtime" not in converted(runtime="runc")


def scale() -> None:
    """Several containers on one machine are refused; a global service has no number of tasks."""
    assert "OLLAMA_REPLICAS" in refusal(scale=2)
    deploy = {"mode": "global", "replicas": 1}
    assert converted(scale=1, deploy=deploy)["deploy"] == {"mode": "global"}


def this_machine() -> None:
    """host.docker.internal is dropped where nothing uses it, and refused where a model does."""
    hosts = ["host.docker.internal=host-gateway", "db=10.0.0.1"]
    base = {"LM_STUDIO_API_BASE": "http://host.docker.internal:1234/v1"}

    assert converted(extra_hosts=hosts, environment=base)["extra_hosts"] == ["db:10.0.0.1"]
    assert "name the host" in refusal(environment=base | {"LM_STUDIO_MODEL": "qwen"})
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://host.docker.internal:4318"}
    assert "name the host" in refusal(environment=endpoint)


def mounted_file() -> None:
    """A file becomes a config, named after its content; a folder is refused."""
    bind = {"type": "bind", "source": CONFIG, "target": "/etc/litellm/c.yaml", "read_only": True}
    found = stack(document(volumes=[bind])).file

    assert found["configs"] == {
        "litellm_config_yaml": {"name": "p_litellm_config_yaml-0123456789ab", "file": CONFIG}
    }
    assert found["services"]["gateway"]["configs"] == [
        {"source": "litellm_config_yaml", "target": "/etc/litellm/c.yaml", "mode": 0o444}
    ]
    assert "is not a file" in refusal(volumes=[bind | {"source": "/checkout/models"}])


def generated_keys() -> None:
    """A volume of keys becomes swarm secrets under the same paths."""
    volume = {"type": "volume", "source": "backend-secrets", "target": "/run/backend-secrets"}
    found = stack(document(volumes=[volume]))

    path = "/run/backend-secrets/backend_virtual_key"
    assert found.file["services"]["gateway"]["secrets"] == [
        {"source": "backend_virtual_key", "target": path, "mode": 0o444}
    ]
    assert found.generated == ("p_backend_virtual_key",)
    assert "backend-secrets" not in found.file["volumes"]


def given_keys() -> None:
    """A key that the user set is in no stack file; a changed one has another name."""
    names = set()
    for key in ("sk-one$$1", "sk-two"):
        found = stack(document(environment={"OPENAI_API_KEY": key, "GEMINI_API_KEY": ""}))
        environment = found.file["services"]["gateway"]["environment"]

        assert environment == {"OPENAI_API_KEY_FILE": "/run/secrets/openai_api_key"}
        assert key not in str(found.file)
        assert found.given[0].value == key.replace("$$", "$")
        assert found.given[0].value not in repr(found)
        names.add(found.given[0].full_name)
    assert len(names) == 2


def keys_of_other_images() -> None:
    """A service that may not read VAR_FILE gets no key in the stack file either."""
    asked = document()
    asked["services"]["mine"] = asked["services"]["gateway"] | {
        "image": "mine:1.0.0",
        "environment": {"API_TOKEN": "t0ken"},
    }
    with pytest.raises(ConfigurationError, match="for everybody to read") as refused:
        stack(asked)

    assert "t0ken" not in str(refused.value)


def order_of_starts() -> None:
    """What compose orders is dropped: services start again until it is there."""
    waits = {"migrate": {"condition": "service_completed_successfully"}}

    assert "depends_on" not in converted(depends_on=waits, group_add=["10000"], build={})


def init_job_of_keys() -> None:
    """The init job that makes keys is not deployed, and says so."""
    asked = document()
    asked["services"]["secrets"] = {"image": GATEWAY, "restart": "no"}
    found = stack(asked)

    assert found.file["services"].keys() == {"gateway"}
    assert found.notes[0].startswith("secrets is left out")


def database_of_ones_own() -> None:
    """With DATABASE_URL the bundled database is not deployed, and the URL is a secret."""
    asked = document(environment={"DATABASE_URL": "postgresql://u:p@h/d"})
    asked["services"]["postgres"] = {"environment": {"POSTGRES_EXTERNAL": "true"}}
    found = stack(asked)

    assert found.file["services"].keys() == {"gateway"}
    assert "DATABASE_URL names a database" in found.notes[0]
    assert "u:p@h" not in str(found.file)


def networks() -> None:
    """Networks reach all nodes, under names of their own; internal ones stay internal."""
    asked = document(networks={"default": {"aliases": ["litellm"]}, "database": None})
    asked["networks"]["database"] = {"name": "p_database", "internal": True}

    assert stack(asked).file["networks"] == {
        "database": {"name": "p_swarm_database", "driver": "overlay", "internal": True},
        "default": {"name": "p_swarm_default", "driver": "overlay"},
    }


def volumes() -> None:
    """A volume keeps its name, so that the data of a stack without a swarm are found again."""
    volume = {"type": "volume", "source": "postgres-data", "target": "/data", "volume": {}}

    assert stack(document(volumes=[volume])).file["volumes"] == {"postgres-data": {}}


def images() -> None:
    """With a registry the nodes get this project's images from there."""
    asked = document()
    asked["x-swarm"] = {"registry": "registry.example:5000"}

    image = stack(asked).file["services"]["gateway"]["image"]
    assert image == f"registry.example:5000/{GATEWAY}"


def anything_else() -> None:
    """A setting that neither is known to Swarm nor to the converter is refused by name."""
    assert "gateway: privileged" in refusal(privileged=True)
    assert "has no settings for a swarm" in refusal(deploy=None)


ROWS: dict[str, Callable[[], None]] = {
    "`ports` on 127.0.0.1": published_on_loopback,
    "`ports` of the edge": published_nowhere,
    "`security_opt: no-new-privileges`": no_new_privileges,
    "`mem_limit`": memory_limit,
    "`shm_size`": shared_memory,
    "`tmpfs`": tmpfs,
    "`cpu_shares`": cpu_shares,
    "`runtime`": runtime,
    "`scale`": scale,
    "`host.docker.internal`": this_machine,
    "a file that is mounted": mounted_file,
    "volumes of generated keys": generated_keys,
    "keys in `.env`": given_keys,
    "keys of another image": keys_of_other_images,
    "`depends_on`, `group_add`, `build`": order_of_starts,
    "`secrets`, `backup`": init_job_of_keys,
    "`DATABASE_URL`": database_of_ones_own,
    "networks": networks,
    "volumes": volumes,
    "images": images,
    "any other setting": anything_else,
}
"""What shows each row of the table in docs/scaling.md."""


@pytest.mark.parametrize("shown", ROWS.values(), ids=ROWS.keys())
def test_a_row_of_the_table_holds(shown: Callable[[], None]) -> None:
    """What docs/scaling.md says of a setting is what becomes of it."""
    shown()


def test_the_table_has_a_row_for_each_and_no_other() -> None:
    """docs/scaling.md promises what is shown here, in the same order."""
    assert table_rows(text_of("docs/scaling.md"), "in docker-compose.yml") == list(ROWS)


def test_all_that_would_be_lost_is_said_at_once() -> None:
    """A user mends everything in one go."""
    said = refusal(cpu_shares=2, runtime="nvidia", privileged=True)

    assert len(said.splitlines()) == 6

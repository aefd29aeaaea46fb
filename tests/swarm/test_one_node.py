"""The stack on a swarm of one node: the tests follow a deployment from its beginning to its end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.swarm import IMAGES, STALL, Load, Node, Swarm, build_images, network, seconds_since
from support.wait import until

BAD = "services: { gateway: { environment: { NUM_RETRIES: many } } }\n"
"""A setting with which a gateway does not start."""

QUICK = """
services:
  gateway: { deploy: { update_config: { monitor: 3s } } }
  litellm: { deploy: { update_config: { monitor: 3s } } }
"""
"""New tasks are trusted sooner than usual, so that the tests are over sooner."""


@pytest.fixture(scope="module")
def swarm() -> Iterator[Swarm]:
    """Yield a node that has the images and is in no swarm yet."""
    build_images()
    with contextmanager(network)() as name, Node(1, name) as node:
        node.load(*IMAGES)
        yield Swarm(node)


@pytest.fixture(scope="module")
def one_node(swarm: Swarm) -> Swarm:
    """Return a swarm of one node without labels."""
    swarm.manager.docker("swarm", "init", "--advertise-addr", swarm.manager.address)
    return swarm


@pytest.fixture(scope="module")
def labelled(one_node: Swarm) -> Swarm:
    """Return a swarm whose node has the labels that `up` asked for."""
    labels = ("--label-add", "litellm.gateway=true", "--label-add", "litellm.postgres=true")
    one_node.manager.docker("node", "update", *labels, "node1")
    return one_node


@pytest.fixture(scope="module")
def deployed(labelled: Swarm, tmp_path_factory: pytest.TempPathFactory) -> Swarm:
    """Return a stack that runs, and whose upstream takes a second for an answer."""
    quick: Path = tmp_path_factory.mktemp("override") / "quick.yml"
    quick.write_text(QUICK)
    labelled.environment["SWARM_OVERRIDE"] = str(quick)
    labelled.ok("swarm", "up")
    labelled.play(STALL)
    return labelled


@pytest.fixture(scope="module")
def key(deployed: Swarm) -> str:
    """Return a virtual key."""
    return deployed.key()


def test_an_engine_in_no_swarm_is_told_how_to_make_one(swarm: Swarm) -> None:
    """Nothing is guessed: the user decides which machines are a swarm."""
    refused = swarm.run("swarm", "up")

    assert refused.returncode == 1
    assert "docker swarm init" in refused.stderr


def test_without_labelled_nodes_nothing_is_deployed(one_node: Swarm) -> None:
    """A service without a node would wait for ever, silently; the message has the command."""
    refused = one_node.run("swarm", "up")

    assert refused.returncode != 0
    assert "docker node update --label-add litellm.gateway=true NODE" in refused.stderr
    assert "docker node update --label-add litellm.postgres=true NODE" in refused.stderr
    assert not one_node.services()
    assert one_node.run("swarm", "status").returncode == 1


def test_a_dry_run_says_what_would_run_where(labelled: Swarm) -> None:
    """It deploys nothing, and makes no keys."""
    told = labelled.ok("swarm", "up", "--dry-run").splitlines()

    assert [line.split()[1] for line in told if line.split()[0] == "gateway"] == ["node1"]
    assert not labelled.services()
    assert not labelled.manager.docker("secret", "ls", "--quiet")


def test_a_chat_with_a_key_is_answered_through_the_edge(deployed: Swarm, key: str) -> None:
    """After `up` all services run, and the node's published port serves the API."""
    status = deployed.ok("swarm", "status")

    assert {"edge", "gateway", "litellm", "postgres"} <= {
        each.split()[0] for each in status.splitlines()
    }
    assert deployed.ask(key).ok


def test_compose_refuses_to_start_beside_it(deployed: Swarm) -> None:
    """Two PostgreSQL servers on one volume would destroy the data."""
    refused = deployed.run("up")

    assert refused.returncode == 1
    assert "the stack runs here on a swarm, on the same volumes" in refused.stderr


def test_an_update_loses_no_request(
    deployed: Swarm, key: str, counted: Callable[[str], None]
) -> None:
    """A new master key replaces the gateway while callers wait for answers that take a second."""
    master = f"sk-{secrets.token_hex(24)}"
    before, database = deployed.containers("gateway"), deployed.containers("postgres")
    started = time.monotonic()
    with Load(deployed, key) as load:
        deployed.ok("swarm", "update", LITELLM_MASTER_KEY=master)
    counted(f"update in {seconds_since(started)}: {load.answered} answered, {len(load.lost)} lost")

    (gateway,) = deployed.containers("gateway")
    assert gateway not in before
    assert deployed.containers("postgres") == database
    path = "/run/gateway-secrets/litellm_master_key"
    assert deployed.manager.docker("exec", gateway, "cat", path) == master
    assert not load.lost
    assert deployed.services()["gateway"]["UpdateStatus"]["State"] == "completed"


def test_a_killed_gateway_loses_only_what_it_was_answering(
    deployed: Swarm, key: str, counted: Callable[[str], None]
) -> None:
    """The control for the update: without a drain the load does lose requests; then all is well."""
    (killed,) = deployed.containers("gateway")
    with Load(deployed, key) as load:
        deployed.manager.docker("kill", killed)
        until(lambda: load.lost, seconds=10, what="a request to be lost")
        until(lambda: deployed.ask(key).ok, seconds=60, what="the new gateway to answer")
    counted(f"a killed gateway: {load.answered} answered, {len(load.lost)} lost")

    assert all("gateway_stopped" in each or "no_gateway" in each for each in load.lost)
    assert deployed.ask(key).ok


def test_a_bad_update_is_rolled_back(
    deployed: Swarm, key: str, tmp_path: Path, counted: Callable[[str], None]
) -> None:
    """What ran goes on, no request is lost, and the exit code says that the update failed."""
    until(lambda: deployed.run("swarm", "status").returncode == 0, seconds=60, what="all tasks")
    bad = tmp_path / "bad.yml"
    bad.write_text(BAD)
    override = f"{deployed.environment['SWARM_OVERRIDE']}:{bad}"
    before = deployed.containers("gateway")
    started = time.monotonic()
    with Load(deployed, key) as load:
        refused = deployed.run("swarm", "update", SWARM_OVERRIDE=override)
    counted(
        f"a bad update in {seconds_since(started)}: {load.answered} answered, {len(load.lost)} lost"
    )

    assert refused.returncode == 1, refused.stderr
    assert "the update failed and was rolled back" in refused.stderr
    assert deployed.containers("gateway") == before
    assert not load.lost
    assert "rolled back" in deployed.ok("swarm", "status")


def test_down_leaves_volumes_alone(deployed: Swarm) -> None:
    """Services, networks, configs and secrets go; keys and data stay for the next `up`."""
    deployed.ok("swarm", "down")

    label = f"label=com.docker.stack.namespace={deployed.project}"
    for kind in ("service", "secret", "config"):
        assert not deployed.manager.docker(kind, "ls", "--quiet", "--filter", label), kind
    volumes = deployed.manager.docker("volume", "ls", "--format", "{{.Name}}").split()
    kept = ("postgres-data", "gateway-journal", "gateway-secrets")
    assert {f"{deployed.project}_{name}" for name in kept} <= set(volumes)

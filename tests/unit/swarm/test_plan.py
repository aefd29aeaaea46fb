"""What ./run swarm is told to do, in which order, and when it is told to do nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.config.problems import ConfigurationError
from gateway.swarm.command import app

IMAGE = "litellm-proxy-service/gateway:1.0.0"
KEY = "sk-provider-0123456789"
LABELS = {"litellm.gateway": "true", "litellm.postgres": "true"}


def service(label: str) -> dict[str, Any]:
    """Return a service, as compose prints it, that wants a node with a label."""
    placement = {"constraints": [f"node.labels.litellm.{label} == true"]}
    secrets = {"type": "volume", "source": "gateway-secrets", "target": "/run/gateway-secrets"}
    return {
        "image": IMAGE,
        "entrypoint": None,
        "networks": {},
        "deploy": {"placement": placement},
        "environment": {"OPENAI_API_KEY": KEY},
        "volumes": [secrets],
    }


DOCUMENT = {
    "name": "p",
    "services": {
        "gateway": service("gateway"),
        "migrate": service("gateway"),
        "ollama": service("ollama"),
        "postgres": service("postgres"),
    },
    "networks": {},
}


def node(name: str, **labels: str) -> str:
    """Return a node as a line of JSON."""
    spec = {"Role": "manager", "Labels": labels, "Availability": "active"}
    status = {"State": "ready"}
    description = {"Hostname": name}
    return json.dumps({"ID": name, "Spec": spec, "Status": status, "Description": description})


def plan(*options: str, nodes: tuple[str, ...], end: str = "end\0\0", key: str = "k") -> list[str]:
    """Return what is printed, cut at each NUL."""
    records = {
        "compose": json.dumps(DOCUMENT),
        "nodes": "\n".join(nodes),
        "value:litellm_master_key": key,
    }
    stream = "".join(f"{name}\0{value}\0" for name, value in records.items()) + end
    done = CliRunner().invoke(app, ["plan", *options], input=stream)
    if isinstance(done.exception, ConfigurationError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout.split("\0")


ONE = (node("a", **LABELS),)


def test_keys_come_first_then_the_database_then_all_else() -> None:
    """A swarm orders nothing; the last record says that the plan is whole."""
    found = plan(nodes=ONE)
    names, values = found[:-1:2], dict(zip(found[::2], found[1::2], strict=False))

    assert [name.partition("-")[0] for name in names] == [
        "secret:p_openai_api_key",
        "secret:p_litellm_master_key",
        "stack:first",
        "stack:rest",
        "end",
    ]
    assert [values[name] for name in names[:2]] == [KEY, "k"]
    assert "  postgres:" in values["stack:first"]
    assert "  migrate:" in values["stack:first"]
    assert "  gateway:" in values["stack:rest"]
    assert "  postgres:" not in values["stack:rest"]


def test_a_changed_key_has_another_name() -> None:
    """A swarm's secret cannot change, so a new one takes its place, and the tasks with it."""
    names = {plan(nodes=ONE, key=key)[2] for key in ("one", "two")}

    assert len(names) == 2


def test_no_key_stands_in_a_stack_file() -> None:
    """Keys are in records of their own, which are never kept."""
    found = plan(nodes=ONE)

    assert KEY not in "".join(found[found.index("stack:first") :])


def test_records_that_break_off_deploy_nothing() -> None:
    """Without its last record the sender has failed, and new keys could be missing."""
    with pytest.raises(ConfigurationError, match="are missing"):
        plan(nodes=ONE, end="")


def test_labels_that_are_missing_are_said_with_the_command() -> None:
    """All at once; only the local model may have no node."""
    with pytest.raises(ConfigurationError) as refused:
        plan(nodes=(node("a"),))

    first, second = map(str, refused.value.problems)
    assert first.startswith("gateway, migrate: no usable node has")
    assert "docker node update --label-add litellm.gateway=true NODE" in first
    assert "docker node update --label-add litellm.postgres=true NODE" in second


def test_the_database_may_have_one_node_only() -> None:
    """Its volume is on one; on another it would begin empty."""
    with pytest.raises(ConfigurationError, match="may run on a, b, but its data are on one node"):
        plan(nodes=(node("a", **LABELS), node("b", **LABELS)))


def test_a_dry_run_prints_nodes_and_no_keys() -> None:
    """A line for each service."""
    printed = plan("--dry-run", nodes=ONE)

    assert len(printed) == 1
    assert [line.split()[:2] for line in printed[0].splitlines()] == [
        ["gateway", "a"],
        ["migrate", "a"],
        ["ollama", "no"],
        ["postgres", "a"],
    ]
    assert KEY not in printed[0]

"""What `gateway swarm status` and `watch` print, and how they end."""

from __future__ import annotations

import json

from typer.testing import CliRunner, Result

from gateway.swarm.command import app

SPEC = {"ContainerSpec": {"Image": "gateway:2"}, "Placement": {}}


def snapshot(state: str, update: str = "") -> str:
    """Return a line of JSON about one gateway, as ./run swarm prints it."""
    service = {
        "ID": "s",
        "Spec": {
            "Name": "p_gateway",
            "Labels": {"com.docker.stack.namespace": "p"},
            "TaskTemplate": SPEC,
            "Mode": {"Replicated": {"Replicas": 1}},
        },
        "UpdateStatus": {"State": update},
    }
    status = {"State": state, "Timestamp": "2026-11-28T10:00:00Z"}
    task = {"ServiceID": "s", "DesiredState": "running", "Status": status, "Spec": SPEC}
    return json.dumps({"nodes": [], "services": [service], "tasks": [task]}) + "\n"


def run(command: str, *snapshots: str) -> Result:
    """Call a command with these snapshots on its standard input."""
    return CliRunner().invoke(app, [command], input="".join(snapshots))


def test_status_is_0_only_when_all_tasks_run() -> None:
    """A script can rely on the exit code; the table says what does not run."""
    running, starting = run("status", snapshot("running")), run("status", snapshot("starting"))

    assert (running.exit_code, starting.exit_code) == (0, 1)
    assert [line.split()[:2] for line in starting.stdout.splitlines()] == [
        ["SERVICE", "TASKS"],
        ["gateway", "0/1"],
    ]


def test_watch_ends_with_a_table() -> None:
    """When all services run, their states are the result."""
    done = run("watch", snapshot("starting"), snapshot("running", "completed"))

    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].split() == ["gateway", "1/1", "updated"]


def test_watch_names_what_is_still_to_be_rolled_back() -> None:
    """./run swarm rolls back the services that standard output names, and nothing else."""
    done = run("watch", snapshot("starting", "updating"))

    assert done.exit_code == 1
    assert done.stdout == "p_gateway\n"
    assert "no longer answers" in done.stderr
    assert run("watch", snapshot("running", "rollback_started")).stdout.strip() == ""

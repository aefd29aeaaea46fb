"""An upgrade of a stack of 0.1 as it goes on, and what has to be there whatever becomes of it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from support import kept_data, version_01
from support.scripted import ask
from support.stack import REPOSITORY, Stack
from support.version_01 import ANNA, BACKEND, BLOCKED, SPENT
from support.wait import until


@dataclass
class Waiting:
    """Answers of 0.1 whose costs an upgrade finds in the journal.

    Attributes:
        ids: of these answers.
        before: what the database had.
    """

    ids: list[str]
    before: dict[str, Any]


@contextlib.contextmanager
def costs_kept_out(stack: Stack) -> Iterator[Waiting]:
    """Let answers be given whose costs stay in the journal while this and Postgres last."""
    before = kept_data.result(stack)
    connection = stack.database()
    connection.execute("BEGIN")
    connection.execute('LOCK TABLE "LiteLLM_SpendLogs" IN SHARE MODE')
    try:
        yield Waiting(version_01.ids(version_01.each_kind(stack)), before)
    finally:
        connection.close()


def upgrade(stack: Stack, tag: str, **environment: str) -> subprocess.Popen[str]:
    """Begin `./run upgrade` to a version."""
    return subprocess.Popen(
        ["./run", "upgrade", "--no-build"],
        cwd=REPOSITORY,
        env=stack.shell | {"STACK_VERSION": tag} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return what a process says until these words come, or to its end."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            break
    return said


def rest(process: subprocess.Popen[str]) -> str:
    """Return what else a process says; it has ended then."""
    said = process.communicate(timeout=900)[1]
    return said or ""


def assert_all_is_there(stack: Stack, waiting: Waiting, *, and_more: bool = False) -> None:
    """Each old row is as it was, each cost that waited has one row, and totals are their sums.

    `and_more`: there were answers that nobody got to their end.
    """
    until(lambda: kept_data.booked(stack, waiting.ids), seconds=60, what="what waited")
    found = kept_data.result(stack)
    ids = [row["litellm_call_id"] for row in found["rows"]]
    assert len(set(ids)) == len(ids)
    wanted = {row["litellm_call_id"] for row in waiting.before["rows"]} | set(waiting.ids)
    assert set(ids) >= wanted if and_more else set(ids) == wanted
    assert all(row in found["rows"] for row in waiting.before["rows"])
    keys = {row["api_key"] for row in found["rows"] if row["spend"]}
    for key in keys:
        of_rows = sum(row["spend"] for row in found["rows"] if row["api_key"] == key)
        assert found["spent by"]["keys"][key] == pytest.approx(of_rows)
    whole = sum(row["spend"] for row in found["rows"])
    assert sum(found["spent by"]["days of users"].values()) == pytest.approx(whole)


def assert_keys_work(stack: Stack) -> None:
    """Keys in use are answered; a blocked one and one with its budget passed are not."""
    allowed = {key: ask(stack, key).ok for key in (BACKEND, ANNA, BLOCKED, SPENT)}
    assert allowed == {BACKEND: True, ANNA: True, BLOCKED: False, SPENT: False}


def image_in_use(stack: Stack, service: str) -> str:
    """Return the tag of the image that a service's container was made from."""
    return str(stack.inspect(service)["Config"]["Image"]).rpartition(":")[2]


def start_by_its_own_file(stack: Stack) -> None:
    """Stop whatever serves, and start 0.1 from its own compose file."""
    version_01.compose(stack, "down", "--remove-orphans")
    version_01.start(stack)


def service_of_01(stack: Stack) -> str:
    """Return which service is 0.1's gateway: `gateway` once an upgrade was undone."""
    return "gateway" if "gateway" in stack.containers() else version_01.GATEWAY


def serves_01(stack: Stack) -> bool:
    """Return whether 0.1 serves."""
    name = service_of_01(stack)
    if name not in stack.containers():
        return False
    image = stack.command("docker", "inspect", "--format", "{{.Id}}", version_01.IMAGE).stdout
    return str(stack.inspect(name)["Image"]) == image.strip() and stack.health(name) == "healthy"

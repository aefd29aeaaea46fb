"""From the real 0.1, with its image and data, to today's version and back: `./run test --long`.

tests/stack/test_upgrade.py does it each time with a stack of 0.1's form; here all is 0.1's own.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest
import requests

from support import kept_data, version_01
from support.long import LONG
from support.stack import REPOSITORY, Stack, image
from support.upgrading import (
    assert_all_is_there,
    assert_keys_work,
    costs_kept_out,
    image_in_use,
    read_until,
    rest,
    serves_01,
    service_of_01,
    start_by_its_own_file,
    upgrade,
)
from support.version_01 import PROVIDER_KEY
from support.wait import until
from support.year_old import CURRENT, version

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not LONG, reason="twelve minutes, and an image to build: --long"),
]

FAILING_MIGRATION = """
COPY --chmod=0644 <<"END" /opt/venv/lib/python3.13/site-packages/litellm_proxy_extras/migrations/\
20990101000000_new/migration.sql
TRUNCATE "LiteLLM_SpendLogs";
ALTER TABLE nowhere ADD COLUMN i int;
END"""
# It serves, brings 0.1's journal into the database, and ends; its health check never passes. If it
# did not end, compose would wait for the whole of the check's start period.
UNWELL = """
COPY --chmod=0755 <<"END" /opt/venv/bin/gateway
#!/bin/sh
if [ "$1" = health ]; then echo "not well today"; exit 1; fi
if [ "$1" = serve ]; then exec timeout 20 /opt/venv/bin/python -m gateway serve; fi
exec /opt/venv/bin/python -m gateway "$@"
END"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Yield a stack, at first with nothing in it; removed with its images and backups."""
    version_01.build()
    with version_01.stack() as stack:
        try:
            yield stack
        finally:
            stack.destroy()
            listed = stack.command("docker", "images", "--format", "{{.Repository}}:{{.Tag}}")
            images = [name for name in listed.stdout.split() if name.endswith(stack.project)]
            stack.command("docker", "rmi", *images, check=False)
            for file in (REPOSITORY / "backups").glob(f"{stack.project}-*"):
                file.unlink()


@pytest.fixture
def old(stack: Stack) -> Stack:
    """Return the stack with 0.1 serving on its data: as the last test left it, or from nothing."""
    if not serves_01(stack):
        stack.destroy()
        version_01.start(stack)
        version_01.fill(stack)
    return stack


@pytest.fixture
def undone(old: Stack) -> Stack:
    """Return the stack as an upgrade that was undone leaves it: today's file, 0.1's images."""
    if service_of_01(old) != "gateway":
        rest(upgrade(old, failing_version(old, FAILING_MIGRATION)))
        assert service_of_01(old) == "gateway"
    return old


@pytest.fixture
def upgraded(request: pytest.FixtureRequest, stack: Stack) -> Stack:
    """Return the stack as an upgrade leaves it."""
    if not is_upgraded(stack):
        rest(upgrade(request.getfixturevalue("old"), CURRENT))
        assert is_upgraded(stack)
    return stack


def is_upgraded(stack: Stack) -> bool:
    """Return whether today's version runs."""
    return "gateway" in stack.containers() and image_in_use(stack, "gateway") == CURRENT


def failing_version(stack: Stack, changes: str) -> str:
    """Make the images of a version to which an upgrade fails; return its tag."""
    tag = version(stack, "failing", changes)
    upstream = f"litellm-proxy-service/scripted-upstream:{tag}"
    stack.command("docker", "tag", image("scripted-upstream"), upstream)
    return tag


def test_an_upgrade_without_images_changes_nothing(old: Stack) -> None:
    """It ends before anything is stopped."""
    before, container = kept_data.result(old), old.container(service_of_01(old))
    process = upgrade(old, "no-such-version")
    said = rest(process)

    assert process.returncode == 1
    assert "not upgraded; the previous version keeps serving" in said
    assert (kept_data.result(old), old.container(service_of_01(old))) == (before, container)


def test_an_upgrade_without_a_backup_starts_01_again(old: Stack) -> None:
    """With what waited in the journal, which it books itself."""
    with costs_kept_out(old) as waiting:
        process = upgrade(old, CURRENT, BACKUP_PASSPHRASE_FILE="/nowhere/passphrase")
        read_until(process, "the previous version starts again")
    said = rest(process)

    assert process.returncode == 1
    assert "the previous version serves again" in said
    assert serves_01(old)
    assert_all_is_there(old, waiting)


@pytest.mark.parametrize(
    ("changes", "reason", "has_started"),
    [
        (FAILING_MIGRATION, "migration 20990101000000_new failed", False),
        (UNWELL, "the new version does not start", True),
    ],
    ids=["a migration fails", "it is never well"],
)
def test_an_upgrade_that_fails_is_undone(
    old: Stack, changes: str, reason: str, *, has_started: bool
) -> None:
    """0.1 serves on its own data, and books what waited, also where today's version had done so."""
    tag = failing_version(old, changes)
    with costs_kept_out(old) as waiting:
        process = upgrade(old, tag)
        said = read_until(process, "3/3 start")
    said += rest(process)

    assert process.returncode == 1
    assert reason in said
    assert "the previous images run again, with the data of backups/" in said
    assert ("what the new version wrote is kept in backups/" in said) == has_started
    assert serves_01(old)
    assert_all_is_there(old, waiting)


def test_an_upgrade_that_is_interrupted_is_undone(old: Stack) -> None:
    """Amid the start of the new version, by SIGTERM, which has the trap of ctrl-c."""
    with costs_kept_out(old) as waiting:
        process = upgrade(old, CURRENT)
        read_until(process, "3/3 start")
    until(lambda: image_in_use(old, "migrate") == CURRENT, seconds=60, what="the new version")
    process.send_signal(signal.SIGTERM)
    said = rest(process)

    assert process.returncode == 1
    assert "the previous images run again" in said
    assert serves_01(old)
    assert_all_is_there(old, waiting)
    assert_keys_work(old)


def test_01s_own_compose_file_goes_on_after_an_upgrade_was_undone(undone: Stack) -> None:
    """As the docs say: the old checkout, `./run down`, and it comes up as it was."""
    before = kept_data.result(undone)
    start_by_its_own_file(undone)

    assert "gateway" not in undone.containers()
    assert serves_01(undone)
    assert kept_data.result(undone) == before
    assert_keys_work(undone)


def test_an_upgrade_keeps_all_that_01_has(old: Stack) -> None:
    """Rows, totals, keys, credentials and what waits in the journal, notes and all."""
    with costs_kept_out(old) as waiting:
        process = upgrade(old, CURRENT)
        said = read_until(process, "3/3 start")
    said += rest(process)

    assert process.returncode == 0, said
    assert_all_is_there(old, waiting)
    assert_keys_work(old)
    assert kept_data.stored_key(old) == PROVIDER_KEY


def test_the_way_back_by_hand_is_the_docs(upgraded: Stack) -> None:
    """Days after an upgrade: the backup of before, under 0.1's own compose file."""
    backups = (REPOSITORY / "backups").glob(f"{upgraded.project}-*-before-upgrade.backup")
    backup = max(backups)
    upgraded.run("down")
    version_01.compose(upgraded, "up", "--detach", "--no-build", "--wait", "postgres")
    restore = ("run", "--rm", "--no-deps", "--no-TTY", "backup", "restore", "--replace")
    with backup.open("rb") as file:
        environment = upgraded.shell | {"STACK_VERSION": version_01.TAG}
        command = [*version_01.compose_command(), *restore]
        subprocess.run(command, stdin=file, env=environment, check=True)
    version_01.start(upgraded)

    assert serves_01(upgraded)
    assert_keys_work(upgraded)


def test_plain_compose_up_over_a_running_01_is_an_upgrade(old: Stack) -> None:
    """Without `./run`, with notes in the journal of a 0.1 that was killed: each is booked once."""
    if service_of_01(old) != version_01.GATEWAY:
        start_by_its_own_file(old)
    before = old.container(version_01.GATEWAY)
    with costs_kept_out(old) as waiting:
        waiting.ids += version_01.kill_at_work(old)
        notes, records = version_01.lines_left(old)
        version_01.compose(old, "start", version_01.GATEWAY)
        until(lambda: serves_01(old), seconds=180, what="0.1 to serve again")
        up = ["docker", "compose", "up", "--detach", "--no-build", "--wait", "gateway"]
        process = subprocess.Popen(up, cwd=REPOSITORY, env=old.shell, stderr=subprocess.DEVNULL)
        until(
            lambda: old.containers().get(version_01.GATEWAY) != before,
            seconds=120,
            what="0.1 to be gone",
        )

    assert process.wait(300) == 0
    assert notes - records
    assert_all_is_there(old, waiting, and_more=True)
    assert_keys_work(old)
    assert kept_data.stored_key(old) == PROVIDER_KEY
    assert requests.get(f"{old.gateway_url}/health", timeout=10).json()["status"] == "healthy"
    url = "http://litellm:4000/health"
    code = f"import urllib.request; print(urllib.request.urlopen('{url}').status)"
    assert old.execute("scripted-upstream", "python", "-c", code).strip() == "200"

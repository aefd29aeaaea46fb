"""`./run upgrade` from 0.1 with a schema of a year ago: to today's, or back, with every row.

In 0.1 the gateway is a service called litellm; here today's other LiteLLM has that name.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
import requests

from gateway.access.columns import TABLES
from gateway.jobs import backend_key, budget_resets
from gateway.journal.tables import written
from support.stack import LITELLM_SECONDS, REPOSITORY, Stack
from support.version_01 import GATEWAY
from support.wait import until
from support.year_old import (
    CENTS,
    CURRENT,
    KEY,
    PACKAGE,
    REQUESTS,
    columns,
    contents,
    fill,
    start,
    version,
    year_old_version,
)

pytestmark = pytest.mark.long

OLD_MIGRATIONS = 52
WITHDRAWN = 2
"""Of the old ones, LiteLLM ships two no more (baseline_diff)."""

MIGRATIONS = 220
HISTORY = "_prisma_migrations"
SPEND = "LiteLLM_SpendLogs"
NEW_MIGRATION = f"{PACKAGE}/migrations/20990101000000_new/migration.sql"

# The rows are gone for good before it fails.
FAILING_MIGRATION = f"""
COPY --chmod=0644 <<"END" {NEW_MIGRATION}
BEGIN;
TRUNCATE "LiteLLM_SpendLogs";
COMMIT;
ALTER TABLE nowhere ADD COLUMN i int;
END"""
# All migrations succeed, then every start of the gateway ends at once.
DYING_GATEWAY = """
COPY --chmod=0755 <<"END" /opt/venv/bin/gateway
#!/bin/sh
if [ "$1" = serve ]; then echo "no gateway today"; exit 1; fi
exec /opt/venv/bin/python -m gateway "$@"
END"""


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """Yield a stack of a year ago with its tables filled; removed with its images and backups."""
    with Stack() as stack:
        try:
            tag = year_old_version(stack)
            start(stack, tag)
            fill(stack)
            yield stack
        finally:
            stack.destroy()
            listed = stack.command("docker", "images", "--format", "{{.Repository}}:{{.Tag}}")
            images = [name for name in listed.stdout.split() if name.endswith(stack.project)]
            stack.command("docker", "rmi", *images)
            for file in (REPOSITORY / "backups").glob(f"{stack.project}-*"):
                file.unlink()


@pytest.mark.parametrize(
    ("base", "changes", "reason", "has_started"),
    [
        ("year-old-{project}", FAILING_MIGRATION, "Migration name: 20990101000000_new", False),
        (CURRENT, DYING_GATEWAY, "no gateway today", True),
    ],
    ids=["a migration fails", "the gateway dies"],
)
def test_an_upgrade_that_fails_is_undone(
    running: Stack, base: str, changes: str, reason: str, *, has_started: bool
) -> None:
    """The old image serves again on the old rows, after one bad or 163 good migrations."""
    wanted = columns(running)
    before, image = contents(running, wanted), image_of_gateway(running)
    tag = version(running, "failing", changes, base=base.format(project=running.project))
    done = running.run("upgrade", "--no-build", check=False, STACK_VERSION=tag)

    assert done.returncode == 1
    assert reason in done.stderr
    assert "the previous images run again, with the data of backups/" in done.stderr
    assert ("what the new version wrote is kept in backups/" in done.stderr) == has_started
    assert columns(running) == wanted
    assert contents(running, wanted) == before
    assert len(before[SPEND]) == REQUESTS
    assert image_of_gateway(running) == image
    assert GATEWAY not in running.containers()
    assert requests.get(running.gateway_url, timeout=10).status_code == HTTPStatus.OK


def image_of_gateway(stack: Stack) -> str:
    """Return the id of the image that serves, whatever its service is called."""
    service = "gateway" if "gateway" in stack.containers() else GATEWAY
    return str(stack.inspect(service)["Image"])


def test_a_database_of_a_year_ago_is_upgraded_with_every_row(
    running: Stack, counted: Callable[[str], None]
) -> None:
    """All old rows have their old values, and keys and costs are read by today's gateway."""
    wanted = columns(running)
    before = contents(running, wanted)
    assert len(before[HISTORY]) == OLD_MIGRATIONS
    waiting = running.run("status", STACK_VERSION=CURRENT)
    done = running.run("upgrade", "--no-build", STACK_VERSION=CURRENT)

    assert f"this checkout has {CURRENT}: ./run upgrade" in waiting.stdout
    assert "the previous data: backups/" in done.stderr
    assert "newer LiteLLM" not in running.logs("migrate")
    after = contents(running, wanted)
    lost = {table: Counter(rows) - Counter(after[table]) for table, rows in before.items()}
    assert not any(lost.values()), lost
    assert len(after[SPEND]) == REQUESTS
    assert len(after[HISTORY]) == MIGRATIONS + WITHDRAWN
    there = columns(running)
    assert not {each for each in used() if each[1] not in there.get(each[0], ())}

    def told() -> dict[str, Any]:
        own = {"Authorization": f"Bearer {KEY}"}
        answer = requests.get(f"{running.gateway_url}/key/info", headers=own, timeout=90)
        assert answer.ok, answer.text  # LiteLLM starts for it
        found: dict[str, Any] = answer.json()["info"]
        return found

    info = until(told, seconds=LITELLM_SECONDS, what="LiteLLM to tell of the key")
    total = json.loads(running.run("spend", "--json").stdout)["total"]
    assert info["key_alias"] == "key 0"
    assert info["spend"] == pytest.approx(REQUESTS * CENTS / 50)
    assert total["requests"] == REQUESTS
    assert float(total["cost"]) == pytest.approx(REQUESTS * CENTS)
    assert "./run upgrade" not in running.run("status", STACK_VERSION=CURRENT).stdout
    counted(f"upgrade: {REQUESTS} costs, {len(before)} tables kept")


def used() -> set[tuple[str, str]]:
    """Return every column of LiteLLM's that the gateway reads or writes, with its table."""
    lists = [
        *TABLES.values(),
        *budget_resets.READS.items(),
        *written().items(),
        *budget_resets.WRITES.items(),
        *backend_key.WRITES.items(),
    ]
    return {(table, column) for table, names in lists for column in names}

"""`./run backup` and `./run restore`: every row, cost on its way and stored key comes back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from support.kept_data import DECRYPT
from support.scripted import SCRIPTED_PROVIDERS, ask
from support.stack import REPOSITORY, Stack
from support.wait import until

pytestmark = pytest.mark.long

PASSPHRASE = {"BACKUP_PASSPHRASE": "Grüße, 12 Äpfel $HOME"}
PROVIDER_KEY = "sk-stored-with-the-salt-key-0123"
BOOKED = 4
WAITING = 3

# Of every table that only requests and people write to.
ROWS: LiteralString = " UNION ALL ".join(
    f"""SELECT '{name}' AS "table", count(*), md5(string_agg(t::text, '|' ORDER BY t::text))
    FROM "{name}" t"""
    for name in (
        "LiteLLM_SpendLogs",
        "LiteLLM_VerificationToken",
        "LiteLLM_DailyUserSpend",
        "LiteLLM_CredentialsTable",
        "_prisma_migrations",
    )
)


@dataclass(frozen=True)
class Backup:
    """A backup and what its stack held.

    Attributes:
        file: the backup.
        rows: what ROWS said in that moment.
        waiting: ids of answers whose costs had not reached the database.
        key: the backend's virtual key.
    """

    file: Path
    rows: list[dict[str, object]]
    waiting: list[str]
    key: str


def answered(stack: Stack, key: str, times: int) -> list[str]:
    """Ask that often; return LiteLLM's id of each answer."""
    answers = [ask(stack, key) for _ in range(times)]
    assert all(answer.status_code == HTTPStatus.OK for answer in answers), answers[-1].text
    return [answer.headers["x-litellm-call-id"] for answer in answers]


def booked(stack: Stack, ids: list[str]) -> int:
    """Return how many rows these answers have."""
    rows = stack.sql(
        'SELECT count(*) AS n FROM "LiteLLM_SpendLogs" WHERE litellm_call_id = ANY(%s)', ids
    )
    return int(rows[0]["n"])


@pytest.fixture(scope="module")
def backup(priced_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    """Return an encrypted backup of a stack that serves: some costs booked, some in the journal."""
    key = priced_stack.secret("backend_virtual_key")
    credential = {
        "credential_name": "stored",
        "credential_values": {"api_key": PROVIDER_KEY},
        "credential_info": {},
    }
    priced_stack.administer("POST", "/credentials", json=credential)
    first = answered(priced_stack, key, BOOKED)
    until(lambda: booked(priced_stack, first) == BOOKED, seconds=30, what="the costs to be booked")
    file = tmp_path_factory.mktemp("backup") / "stack.backup"
    with priced_stack.database() as connection, connection.transaction():
        # Readers pass, writers wait: what is answered now stays in the journal.
        connection.execute('LOCK TABLE "LiteLLM_SpendLogs" IN SHARE MODE')
        waiting = answered(priced_stack, key, WAITING)
        rows = connection.execute(ROWS).fetchall()
        done = priced_stack.run("backup", str(file), **PASSPHRASE)
        assert booked(priced_stack, waiting) == 0
    assert done.stdout == f"{file}\n"
    print(f"{BOOKED} booked, {WAITING} waiting: {done.stderr.strip().splitlines()[-1]}")  # noqa: T201 -- counts belong into the log
    return Backup(file, rows, waiting, key)


@pytest.fixture(scope="module")
def restored(backup: Backup) -> Iterator[Stack]:
    """Yield another project into which the backup was restored, not yet started."""
    with Stack(SCRIPTED_PROVIDERS) as target:
        target.run("restore", str(backup.file), **PASSPHRASE)
        yield target


@pytest.fixture(scope="module")
def going_on(restored: Stack) -> Stack:
    """Return the restored project, started as usual."""
    restored.compose("up", "--detach", "--no-build", "--wait", "gateway", "scripted-upstream")
    return restored


def test_a_backup_is_for_its_owner_alone_and_shows_nothing(backup: Backup) -> None:
    """Mode 0600, and neither a key nor a table's name can be read in it."""
    content = backup.file.read_bytes()

    assert backup.file.stat().st_mode & 0o777 == 0o600
    assert not any(word in content for word in (b"LiteLLM_SpendLogs", b"salt_key"))
    # Not "sk-" alone: in a few MB of random bytes those three come up by chance.
    assert not re.search(rb"sk-[\w-]{8}", content)
    assert not list(backup.file.parent.glob(".*"))


def test_every_row_comes_back_on_another_project(restored: Stack, backup: Backup) -> None:
    """Counts and checksums of spend, keys, days, credentials and migrations are the same."""
    assert restored.sql(ROWS) == backup.rows


def test_what_waited_in_the_journal_is_booked_once(going_on: Stack, backup: Backup) -> None:
    """Answers whose costs were not in the database when it was saved have one row each."""
    until(
        lambda: booked(going_on, backup.waiting) >= WAITING, seconds=30, what="the journal's rows"
    )
    sums = going_on.sql(
        """SELECT v.spend AS key, (SELECT sum(spend) FROM "LiteLLM_SpendLogs" s
             WHERE s.api_key = v.token) AS rows
           FROM "LiteLLM_VerificationToken" v WHERE v.spend > 0"""
    )

    assert booked(going_on, backup.waiting) == WAITING
    assert all(row["key"] == pytest.approx(row["rows"]) for row in sums)
    assert sums


def test_a_stored_provider_key_still_decrypts(going_on: Stack) -> None:
    """The salt key came along: what the old project encrypted is readable in the new one."""
    rows = going_on.sql('SELECT credential_values FROM "LiteLLM_CredentialsTable"')
    value = rows[0]["credential_values"]["api_key"]

    assert PROVIDER_KEY not in value
    assert going_on.execute("gateway", "python", "-c", DECRYPT, value).strip() == PROVIDER_KEY


def test_keys_and_reports_go_on(going_on: Stack, backup: Backup) -> None:
    """A client's key from before is answered, and the report has the old requests."""
    assert len(answered(going_on, backup.key, 1)) == 1
    report = json.loads(going_on.run("spend", "--json").stdout)
    assert report["total"]["requests"] >= BOOKED + WAITING


def test_a_stack_with_data_is_not_overwritten_unasked(going_on: Stack, backup: Backup) -> None:
    """Without --replace it is refused, with it the project's name is asked for; nothing stops."""
    before = going_on.sql('SELECT count(*) FROM "LiteLLM_SpendLogs"')
    refused = going_on.run("restore", str(backup.file), check=False, **PASSPHRASE)
    unsure = going_on.run(
        "restore", str(backup.file), "--replace", check=False, stdin="no\n", **PASSPHRASE
    )

    assert (refused.returncode, unsure.returncode) == (1, 1)
    assert "the database is not empty" in refused.stderr
    assert "the answer was not" in unsure.stderr
    assert going_on.health("gateway") == "healthy"
    assert going_on.sql('SELECT count(*) FROM "LiteLLM_SpendLogs"') == before


def test_a_restore_that_postgres_refuses_changes_nothing(going_on: Stack, backup: Backup) -> None:
    """A database that cannot take the backup keeps its rows: it is one transaction."""
    before = going_on.sql('SELECT count(*) FROM "LiteLLM_SpendLogs"')
    with superuser(going_on) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'no tables today'; END $$"
        )
        connection.execute(
            "CREATE EVENT TRIGGER no_tables ON ddl_command_start WHEN TAG IN ('CREATE TABLE')"
            " EXECUTE FUNCTION refuse()"
        )
        try:
            done = going_on.run(
                "restore", str(backup.file), "--replace", "--yes", check=False, **PASSPHRASE
            )
        finally:
            connection.execute("DROP EVENT TRIGGER no_tables")
            connection.execute("DROP FUNCTION refuse()")

    assert done.returncode == 1
    assert "the database refused the backup" in done.stderr
    assert "no tables today" in done.stderr
    assert going_on.sql('SELECT count(*) FROM "LiteLLM_SpendLogs"') == before


def superuser(stack: Stack) -> psycopg.Connection[tuple[object, ...]]:
    """Return a connection of the database's superuser."""
    return psycopg.connect(
        host=stack.address("postgres", "database"),
        dbname="litellm",
        user="postgres",
        password=stack.execute("postgres", "cat", "/run/postgres-secrets/postgres_password"),
        autocommit=True,
    )


def test_replacing_brings_back_what_was_saved(going_on: Stack, backup: Backup) -> None:
    """With --replace and consent, later rows are gone and those of the backup are there."""
    going_on.run("restore", str(backup.file), "--replace", "--yes", **PASSPHRASE)

    assert going_on.sql(ROWS) == backup.rows


def cut(content: bytes) -> bytes:
    """Return the file as it is after a copy that broke off."""
    return content[: len(content) * 2 // 3]


def changed(content: bytes) -> bytes:
    """Return the file with one bit in its middle turned."""
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@dataclass(frozen=True)
class Unusable:
    """A backup that must be refused.

    Attributes:
        broken: makes it of a good one.
        reason: what is said.
        environment: with which it is restored.
    """

    broken: Callable[[bytes], bytes]
    reason: str
    environment: dict[str, str]


@pytest.mark.parametrize(
    "case",
    [
        Unusable(cut, "it was cut or changed after byte", PASSPHRASE),
        Unusable(changed, "it was cut or changed after byte", PASSPHRASE),
        Unusable(bytes, "passphrase is not the one of", {"BACKUP_PASSPHRASE": "another"}),
        Unusable(bytes, "is encrypted, and no passphrase is set", {}),
        Unusable(lambda _: b"a letter\n", "no backup", {}),
    ],
    ids=["cut", "changed", "wrong passphrase", "no passphrase", "another file"],
)
def test_a_backup_that_cannot_be_used_touches_nothing(
    backup: Backup, make_stack: Callable[..., Stack], tmp_path: Path, case: Unusable
) -> None:
    """It is refused with the reason before a service is started or a secret is made."""
    file = tmp_path / "broken.backup"
    file.write_bytes(case.broken(backup.file.read_bytes()))
    stack = make_stack()
    done = stack.run("restore", str(file), check=False, **case.environment)

    assert done.returncode == 1
    assert case.reason in done.stderr
    assert not stack.compose("ps", "--all", "--quiet").stdout


def test_a_killed_backup_leaves_no_file(priced_stack: Stack, tmp_path: Path) -> None:
    """SIGKILL in the middle: no file has the final name, and the next backup succeeds."""
    file = tmp_path / "stack.backup"
    running = subprocess.Popen(
        ["./run", "backup", str(file)],
        cwd=REPOSITORY,
        env=priced_stack.shell,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    partial = tmp_path / ".stack.backup.partial"
    until(lambda: partial.exists() and partial.stat().st_size > 0, seconds=60, what="first bytes")
    os.killpg(running.pid, signal.SIGKILL)
    running.wait(timeout=10)

    assert not file.exists()
    done = priced_stack.run("backup", str(file))
    assert "not encrypted" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [file.name]

"""A PostgreSQL of the user's own, outside of the stack; LiteLLM reaches it by a relay."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from cryptography import x509

from support.certificates import key_and_certificate
from support.scripted import FREE, PRICED, SCRIPTED_PROVIDERS, ask
from support.stack import Stack, image
from support.wait import until

pytestmark = pytest.mark.long

HOST = "db.example.org"
PASSWORD = "p@ss w:rd/%"
QUOTED = "p%40ss%20w%3Ard%2F%25"
SECONDS = 120
SERVE = r"""
umask 077
echo "$TLS_KEY" >/tmp/key.pem
echo "$TLS_CERTIFICATE" >/tmp/certificate.pem
printf '%s\n' 'local all all scram-sha-256' 'hostssl all all all scram-sha-256' >/tmp/pg_hba.conf
exec postgres-entrypoint postgres -c ssl=on -c ssl_key_file=/tmp/key.pem \
  -c ssl_cert_file=/tmp/certificate.pem -c hba_file=/tmp/pg_hba.conf
"""
"""A server that lets nobody in without TLS."""

ROW = """
SELECT 1 FROM "LiteLLM_SpendLogs" AS l JOIN "LiteLLM_VerificationToken" AS t ON l.api_key = t.token
WHERE t.key_alias = %s AND l.spend > 0 AND t.spend = l.spend
"""


@dataclass
class OwnDatabase:
    """A stack, and a server outside of any compose project."""

    stack: Stack
    name: str

    def start(self) -> None:
        """Start the server, and let the stack's ordinary network reach it by its name."""
        key, certificate = key_and_certificate(x509.DNSName(HOST))
        values = {
            "POSTGRES_PASSWORD": "super",
            "GATEWAY_DB_PASSWORD": PASSWORD,
            "TLS_KEY": key.decode(),
            "TLS_CERTIFICATE": certificate.decode(),
        }
        self.stack.command(
            *("docker", "run", "--detach", "--name", self.name, "--entrypoint", "bash"),
            *("--tmpfs", "/var/run/postgresql:uid=999,gid=999"),
            *(f"--env={variable}={value}" for variable, value in values.items()),
            *(image("postgres"), "-c", SERVE),
        )
        self.stack.compose("create", "--no-build", "gateway", "scripted-upstream")
        network = f"{self.stack.project}_default"
        self.stack.command("docker", "network", "connect", "--alias", HOST, network, self.name)
        until(self.is_there, seconds=SECONDS, what="the server")

    def is_there(self) -> bool:
        """Return whether the server lets somebody in."""
        try:
            return self.sql("SELECT true AS fine")[0][0] is True
        except psycopg.OperationalError:
            return False

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run one statement as the gateway's role."""
        networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
        found = self.stack.command("docker", "inspect", "--format", networks, self.name).stdout
        with psycopg.connect(
            host=found.split()[0],
            dbname="litellm",
            user="gateway",
            password=PASSWORD,
            sslmode="require",
            autocommit=True,
        ) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def own() -> Iterator[OwnDatabase]:
    """Yield a running stack whose database is elsewhere."""
    url = f"postgresql://gateway:{QUOTED}@{HOST}/litellm?sslmode=require"
    with Stack(SCRIPTED_PROVIDERS | {"DATABASE_URL": url}) as running:
        made = OwnDatabase(running, f"{running.project}-own-database")
        try:
            made.start()
            up = ("up", "--detach", "--no-build", "--wait", "gateway", "scripted-upstream")
            running.compose(*up)
            yield made
        finally:
            running.command("docker", "rm", "--force", "--volumes", made.name, check=False)


def make_key(stack: Stack, **fields: object) -> str:
    """Make a key by LiteLLM's own API and return its secret."""
    return str(stack.administer("POST", "/key/generate", json=fields)["key"])


def test_a_key_made_by_litellm_spends_in_a_database_elsewhere(own: OwnDatabase) -> None:
    """Migrated, chatted, the key made through LiteLLM's relay, and its row there; all by TLS."""
    alias = f"elsewhere-{secrets.token_hex(4)}"
    secret = make_key(own.stack, key_alias=alias, max_budget=1.0)

    answer = ask(own.stack, secret)

    assert answer.ok, answer.text
    until(
        lambda: own.sql(ROW, alias),
        seconds=SECONDS,
        what="the row",
    )
    clear = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE NOT ssl"
    assert own.sql(f"{clear} AND client_addr IS NOT NULL") == [(0,)]
    assert own.stack.inspect("postgres")["State"]["Running"], "the bundled one only sleeps"
    assert "POSTGRES_EXTERNAL" in own.stack.logs("postgres")


def test_litellm_finds_the_database_again_after_the_gateway_was_away(own: OwnDatabase) -> None:
    """Its connections lead through the gateway, and end with it."""
    own.stack.compose("restart", "gateway")
    own.stack.wait_for("gateway", "healthy", seconds=SECONDS)

    secret = make_key(own.stack, key_alias=f"again-{secrets.token_hex(4)}")

    assert ask(own.stack, secret, model=FREE).ok


def test_the_server_may_be_away_for_a_while(own: OwnDatabase) -> None:
    """Chat goes on with what is known, and LiteLLM makes keys again when it is back."""
    secret = make_key(own.stack, key_alias=f"known-{secrets.token_hex(4)}")
    assert ask(own.stack, secret, model=PRICED).ok
    own.stack.command("docker", "stop", "--time", "5", own.name)
    try:
        assert ask(own.stack, secret, model=PRICED).ok
    finally:
        own.stack.command("docker", "start", own.name)
    own.stack.wait_for("gateway", "healthy", seconds=SECONDS)

    def is_made() -> bool:
        try:
            return bool(make_key(own.stack, key_alias=f"back-{secrets.token_hex(4)}"))
        except ValueError:  # LiteLLM has not found it again
            return False

    until(is_made, seconds=SECONDS, what="LiteLLM to make a key again")


def test_run_key_and_spend_work_with_it(own: OwnDatabase) -> None:
    """The commands go to the same database."""
    name = f"own-{secrets.token_hex(4)}"
    made = json.loads(own.stack.run("key", "create", name, "--budget", "1", "--json").stdout)

    assert ask(own.stack, made["api_key"]).ok
    until(
        lambda: name in own.stack.run("spend", "--by", "key").stdout,
        seconds=SECONDS,
        what="the report",
    )

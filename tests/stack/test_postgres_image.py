"""The PostgreSQL image alone, as a container hardened like the compose file's."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from support import engine
from support.stack import REPOSITORY
from support.wait import until

AWKWARD = "p@ss w:rd/%é'\"$`\\"


def docker(*arguments: str, check: bool = True, stdin: str = "") -> str:
    """Run docker and return what it printed, errors included.

    Raises:
        AssertionError: when `check` and it failed.
    """
    done = subprocess.run(
        ["docker", *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0 or not check, f"docker {arguments}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def image() -> str:
    """Return the id of the image, built from the checkout."""
    return docker("build", "--quiet", str(REPOSITORY / "postgres")).strip()


@dataclass
class Database:
    """A container of the image and its volume."""

    image: str
    environment: dict[str, str] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"litellm-test-postgres-{secrets.token_hex(4)}")

    def start(self, *command: str) -> Database:
        """Create the container, or create it again on the same volume, and start it."""
        docker("rm", "--force", self.name, check=False)
        values = {"POSTGRES_PASSWORD": "super", "GATEWAY_DB_PASSWORD": AWKWARD} | self.environment
        docker(
            *("run", "--detach", "--name", self.name, "--network", "none"),
            *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"),
            *("--tmpfs", "/tmp", "--tmpfs", "/var/run/postgresql:uid=999,gid=999"),
            *("--volume", f"{self.name}:/var/lib/postgresql/data"),
            *(f"--env={variable}={value}" for variable, value in values.items()),
            self.image,
            *command,
        )
        return self

    def healthy(self) -> Database:
        """Wait until the health check passes.

        Raises:
            AssertionError: after a minute, or at once when the container ended; with its log.
        """

        def alive() -> None:
            if not self.running:
                raise RuntimeError(f"ended:\n{self.log}")

        until(lambda: self.health[0] == 0, seconds=60, what=f"{self.name} healthy", alive=alive)
        return self

    @property
    def running(self) -> bool:
        """Whether the container runs."""
        return engine.inspect(self.name)["State"]["Running"] is True

    @property
    def log(self) -> str:
        """What the container wrote."""
        return docker("logs", self.name)

    @property
    def health(self) -> tuple[int, str]:
        """Exit code and words of the health check."""
        done = subprocess.run(
            ["docker", "exec", self.name, "postgres-health"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.strip()

    def sql(
        self, statement: str, *, user: str = "gateway", password: str = AWKWARD, db: str = "litellm"
    ) -> str:
        """Run a statement over TCP and return its result, or the error's text."""
        return docker(
            *("exec", "--interactive", "--env", f"PGPASSWORD={password}", self.name, "psql"),
            *("--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"),
            *("--host=127.0.0.1", f"--username={user}", f"--dbname={db}", "--file=-"),
            check=False,
            stdin=statement,
        ).strip()

    def shell(self, script: str) -> str:
        """Run a script in a new container on the volume, which no server uses."""
        return docker(
            *(
                "run",
                "--rm",
                "--network",
                "none",
                "--volume",
                f"{self.name}:/var/lib/postgresql/data",
            ),
            *(self.image, "bash", "-euc", script),
        )

    def ended(self, seconds: float = 30) -> tuple[int, str]:
        """Wait for the container's end and return its exit code and log."""
        until(lambda: not self.running, seconds=seconds, what=f"the end of {self.name}")
        state = docker("inspect", "--format", "{{.State.ExitCode}}", self.name)
        return int(state), self.log

    def remove(self) -> None:
        """Remove container and volume."""
        docker("rm", "--force", "--volumes", self.name, check=False)
        docker("volume", "rm", "--force", self.name, check=False)


@pytest.fixture
def make(image: str) -> Iterator[Callable[..., Database]]:
    """Yield a function that makes a database with an environment; it is removed afterwards."""
    made: list[Database] = []

    def database(**environment: str) -> Database:
        made.append(Database(image, environment))
        return made[-1]

    yield database
    for each in made:
        each.remove()


@pytest.fixture(scope="module")
def shared(image: str) -> Iterator[Database]:
    """Yield one running database for tests that change nothing."""
    database = Database(image)
    try:
        yield database.start().healthy()
    finally:
        database.remove()


def test_cluster(shared: Database) -> None:
    """The cluster has data checksums, UTF-8 and the locale C.UTF-8, and says UTC."""
    assert shared.sql("SHOW server_version_num").startswith("17")
    assert shared.sql("SHOW data_checksums") == "on"
    assert shared.sql("SHOW server_encoding") == "UTF8"
    assert shared.sql("SHOW timezone") == "UTC"
    collation = "SELECT datcollate FROM pg_database WHERE datname = 'litellm'"
    assert shared.sql(collation) == "C.UTF-8"


def test_role(shared: Database) -> None:
    """The gateway's role may log in, with any character in its password, and nothing more."""
    assert shared.sql("SELECT current_user") == "gateway"
    attributes = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
    assert shared.sql(f"SELECT {attributes} FROM pg_roles WHERE rolname = 'gateway'") == "f|f|f|f|f"
    assert "permission denied" in shared.sql("CREATE DATABASE other")
    assert "permission denied" in shared.sql("CREATE ROLE other")


def test_ownership(shared: Database) -> None:
    """It owns its database and may make tables and schemas in it."""
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'litellm'"
    assert shared.sql(owner) == "gateway"
    assert shared.sql("CREATE TABLE t (); DROP TABLE t; CREATE SCHEMA s; DROP SCHEMA s") == ""


@pytest.mark.parametrize("db", ["postgres", "template1"])
def test_other_databases(shared: Database, db: str) -> None:
    """It cannot connect to any other database."""
    assert "permission denied for database" in shared.sql("SELECT 1", db=db)


def test_passwords_only(shared: Database) -> None:
    """Nobody gets in without the right password: by TCP, by socket, as superuser or not."""
    assert "password authentication failed" in shared.sql("SELECT 1", password="wrong")
    assert "password authentication failed" in shared.sql(
        "SELECT 1", user="postgres", db="postgres"
    )
    by_socket = docker(
        *(
            "exec",
            shared.name,
            "psql",
            "--no-password",
            "--username=postgres",
            "--command=SELECT 1",
        ),
        check=False,
    )
    assert "no password supplied" in by_socket
    methods = "SELECT DISTINCT auth_method FROM pg_hba_file_rules"
    superuser = {"user": "postgres", "password": "super", "db": "postgres"}
    assert shared.sql(methods, **superuser) == "scram-sha-256"
    stored = "SELECT count(*) FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256$%'"
    assert shared.sql(stored, **superuser) == "2"


def test_configuration(shared: Database) -> None:
    """The server runs on our configuration without a complaint, and it came from our file."""
    superuser = {"user": "postgres", "password": "super", "db": "postgres"}
    assert shared.sql("SHOW config_file", **superuser) == "/etc/litellm-postgres/postgresql.conf"
    errors = "SELECT count(*) FROM pg_file_settings WHERE NOT applied OR error IS NOT NULL"
    assert shared.sql(errors, **superuser) == "0"


def test_unprivileged(shared: Database) -> None:
    """Every process runs as uid 999 with no capability."""
    status = docker("exec", shared.name, "bash", "-c", "cat /proc/[0-9]*/status")
    wanted = {"Uid:\t999\t999\t999\t999", "CapEff:\t0000000000000000"}
    seen = {line for line in status.splitlines() if line.startswith(("Uid:", "CapEff:"))}
    assert seen == wanted


def test_no_secret_shows(shared: Database) -> None:
    """No password is in the log, the image or the server's environment and arguments."""
    process = docker("exec", shared.name, "bash", "-c", "cat /proc/1/environ /proc/1/cmdline")
    for text in (process, shared.log, json.dumps(docker("history", "--no-trunc", shared.image))):
        assert AWKWARD not in text
        assert "super\0" not in text
    assert "PASSWORD" not in process


def test_first_start_shows_progress(shared: Database) -> None:
    """The log of a first start tells what it does, and that it is done."""
    steps = [line for line in shared.log.splitlines() if line.startswith("postgres: ")]
    assert steps == [
        "postgres: first start: creating a PostgreSQL 17 cluster with data checksums",
        "postgres: first start: creating role gateway and database litellm",
        "postgres: first start: done",
        "postgres: starting PostgreSQL 17",
    ]


def test_second_start(make: Callable[..., Database]) -> None:
    """A second start keeps the data, makes nothing, and stops within a second of being told."""
    database = make().start().healthy()
    database.sql("CREATE TABLE kept AS SELECT 42 AS answer")

    docker("stop", "--time", "20", database.name)
    code, log = database.ended()
    assert code == 0
    assert "received fast shutdown request" in log
    database.start().healthy()

    assert database.sql("SELECT answer FROM kept") == "42"
    assert "first start" not in database.log
    assert "was interrupted" not in database.log


def test_stop_with_clients(make: Callable[..., Database]) -> None:
    """A stop does not wait for clients that keep their connection, as the gateway's pool does."""
    database = make().start().healthy()
    docker(
        *("exec", "--detach", "--env", f"PGPASSWORD={AWKWARD}", database.name, "psql"),
        *("--host=127.0.0.1", "--username=gateway", "--dbname=litellm"),
        "--command=SELECT pg_sleep(600)",
    )
    busy = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    until(lambda: database.sql(busy) == "1", seconds=10, what="a busy client")

    docker("stop", "--time", "20", database.name)

    assert database.ended()[0] == 0
    assert "database system is shut down" in database.log


def test_changed_secrets(make: Callable[..., Database]) -> None:
    """A changed password of the role or the superuser is in force after the next start."""
    database = make().start().healthy()
    database.sql("CREATE TABLE kept ()")
    database.environment = {"GATEWAY_DB_PASSWORD": "new \\ 'one'", "POSTGRES_PASSWORD": "n€w"}

    database.start().healthy()

    assert database.sql("SELECT count(*) FROM kept", password="new \\ 'one'") == "0"
    assert "password authentication failed" in database.sql("SELECT 1")
    as_superuser = database.sql("SELECT 1", user="postgres", password="n€w", db="postgres")
    assert as_superuser == "1"


def test_changed_names(make: Callable[..., Database]) -> None:
    """Another role or database name, whatever its characters, is made on the next start."""
    database = make().start().healthy()
    database.environment = {"GATEWAY_DB_USER": 'o"ther', "GATEWAY_DB_NAME": "li'te llm"}

    database.start().healthy()

    assert database.sql("SELECT current_user", user='o"ther', db="li'te llm") == 'o"ther'


def test_killed(make: Callable[..., Database]) -> None:
    """A killed server starts again by itself and loses nothing that was committed."""
    database = make().start().healthy()
    database.sql("CREATE TABLE kept AS SELECT 42 AS answer")

    docker("kill", "--signal", "KILL", database.name)
    database.start().healthy()

    assert database.sql("SELECT answer FROM kept") == "42"


@pytest.mark.parametrize("moment", ["creating a PostgreSQL", "creating role"])
def test_killed_during_the_first_start(make: Callable[..., Database], moment: str) -> None:
    """Killed in the middle of its first start, the next start makes a whole cluster."""
    database = make().start()
    until(lambda: moment in database.log, seconds=30, what=moment)
    docker("kill", "--signal", "KILL", database.name, check=False)

    database.start().healthy()

    assert database.sql("SELECT current_user") == "gateway"
    assert "initializing" not in database.shell("ls /var/lib/postgresql/data")


def test_health_before_the_end_of_the_first_start(make: Callable[..., Database]) -> None:
    """The check is red while the roles are set up: that server listens on a socket only."""
    endless = (
        "source postgres-entrypoint; psql() { sleep infinity; }; default_settings; create_cluster"
    )
    database = make().start("bash", "-c", f"{endless} & wait")
    socket = "ls /tmp/postgres-setup.*/.s.PGSQL.5432"
    until(
        lambda: "No such file" not in docker("exec", database.name, "bash", "-c", socket),
        seconds=30,
        what="the private server",
    )

    code, words = database.health

    assert code == 1
    assert "no response" in words


def test_health_when_the_server_hangs(make: Callable[..., Database]) -> None:
    """It turns red within its 5 seconds when the server no longer answers, and green again."""
    database = make().start().healthy()

    docker("kill", "--signal", "STOP", database.name)
    began = time.monotonic()
    code, words = database.health
    took = time.monotonic() - began
    docker("kill", "--signal", "CONT", database.name)

    assert code == 1
    assert took < 5
    assert words.startswith("unhealthy: ")
    database.healthy()


def test_health_when_the_role_is_locked_out(make: Callable[..., Database]) -> None:
    """It is red when the server accepts connections but the gateway's role cannot log in."""
    database = make().start().healthy()
    superuser = {"user": "postgres", "password": "super", "db": "postgres"}

    database.sql("ALTER ROLE gateway NOLOGIN", **superuser)

    code, words = database.health
    assert code == 1
    assert "role gateway cannot query litellm" in words
    assert AWKWARD not in words


def test_other_major_version(make: Callable[..., Database]) -> None:
    """A volume of another major version is refused, naming both, and stays as it was."""
    database = make()
    database.shell("mkdir $PGDATA && echo 15 >$PGDATA/PG_VERSION")

    code, log = database.start().ended()

    assert code == 1
    assert "holds a PostgreSQL 15 cluster, this image runs PostgreSQL 17" in log
    assert database.shell("ls -A $PGDATA").split() == ["PG_VERSION"]


@pytest.mark.parametrize("variable", ["POSTGRES_PASSWORD", "GATEWAY_DB_PASSWORD"])
def test_no_password(make: Callable[..., Database], variable: str) -> None:
    """Without a password it does not start, and says which variable to set."""
    database = make(**{variable: ""})

    code, log = database.start().ended()

    assert code == 1
    assert variable in log
    assert f"{variable}_FILE" in log


def test_external(make: Callable[..., Database]) -> None:
    """With POSTGRES_EXTERNAL=true it makes no cluster, is healthy, and stops at once."""
    database = make(POSTGRES_EXTERNAL="true", POSTGRES_PASSWORD="", GATEWAY_DB_PASSWORD="")
    database.start().healthy()

    docker("stop", "--time", "20", database.name)

    assert database.ended()[0] == 0
    assert "POSTGRES_EXTERNAL=true" in database.log
    assert database.shell("ls -A /var/lib/postgresql/data").strip() == ""


def test_server_option(make: Callable[..., Database]) -> None:
    """The command may set one value more."""
    database = make().start("postgres", "-c", "work_mem=3MB").healthy()

    assert database.sql("SHOW work_mem") == "3MB"

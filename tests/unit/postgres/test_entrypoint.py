"""The functions of postgres/entrypoint.sh and health.sh, sourced; no server is started.

What the server itself does is in tests/stack/test_postgres_image.py.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

POSTGRES = Path(__file__).resolve().parents[3] / "postgres"
AWKWARD = "p@ss w:rd/%é'\"$`\\ $(id) *"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder, first on PATH, with a `postgres` that says that it is version 17.12."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "postgres", 'echo "postgres (PostgreSQL) 17.12 (Debian 17.12-1)"')
    return folder


def program(path: Path, body: str) -> None:
    """Write an executable shell script."""
    path.write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def bash(
    script: str, first_on_path: Path | None = None, /, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Source the entrypoint, run a script, and return what it printed."""
    path = f"{first_on_path}:{os.environ['PATH']}" if first_on_path else os.environ["PATH"]
    return subprocess.run(
        ["bash", "-c", f'source "{POSTGRES}/entrypoint.sh"\n{script}'],
        env={"PATH": path, "LANG": "C.UTF-8", **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def two_lines(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """Return the two lines of an error: what happened, what to do."""
    assert done.returncode == 1, done
    lines = done.stderr.splitlines()
    assert [line.startswith("postgres: error: ") for line in lines] == [True, True]
    what, hint = (line.removeprefix("postgres: error: ") for line in lines)
    return what, hint


def value_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a script printed, which must have succeeded."""
    assert done.returncode == 0, done
    return done.stdout


READ_SECRET = 'file_env SECRET; printf %s "$SECRET"'


def test_variable() -> None:
    """A secret may come from a variable, with any character."""
    assert value_of(bash(READ_SECRET, SECRET=AWKWARD)) == AWKWARD


@pytest.mark.parametrize(
    ("content", "value"),
    [(AWKWARD, AWKWARD), (f"{AWKWARD}\n", AWKWARD), ("a\n\n", "a\n"), (" a\nb ", " a\nb ")],
)
def test_file(tmp_path: Path, content: str, value: str) -> None:
    """Or from a file, which loses one trailing newline and nothing else."""
    (tmp_path / "secret").write_text(content, encoding="utf-8")

    assert value_of(bash(READ_SECRET, SECRET_FILE=str(tmp_path / "secret"))) == value


def test_empty_file_variable() -> None:
    """An empty VAR_FILE, or /dev/null, counts as unset when the variable is there."""
    assert value_of(bash(READ_SECRET, SECRET="a", SECRET_FILE="")) == "a"
    assert value_of(bash(READ_SECRET, SECRET="a", SECRET_FILE="/dev/null")) == "a"


def test_both_equal(tmp_path: Path) -> None:
    """Both may be set as long as they agree."""
    (tmp_path / "secret").write_text("a\n", encoding="utf-8")

    assert value_of(bash(READ_SECRET, SECRET="a", SECRET_FILE=str(tmp_path / "secret"))) == "a"


def test_both_different(tmp_path: Path) -> None:
    """If they differ, the error names both variables and neither value."""
    (tmp_path / "secret").write_text("geheim-1", encoding="utf-8")

    done = bash(READ_SECRET, SECRET="geheim-2", SECRET_FILE=str(tmp_path / "secret"))

    assert two_lines(done)[0] == "SECRET and SECRET_FILE are both set, to different values"
    assert "geheim" not in done.stdout + done.stderr


@pytest.mark.parametrize("environment", [{}, {"SECRET": ""}, {"SECRET_FILE": "/dev/null"}])
def test_nothing_set(environment: dict[str, str]) -> None:
    """No value at all is an error that names both ways to set it."""
    what, hint = two_lines(bash(READ_SECRET, **environment))

    assert what.startswith("no value for SECRET")
    assert hint == "set SECRET, or SECRET_FILE to the path of a file that holds it"


def test_unreadable_file(tmp_path: Path) -> None:
    """A file that cannot be read is named, with the user who tried."""
    what, hint = two_lines(bash(READ_SECRET, SECRET_FILE=str(tmp_path / "nothing")))

    assert f"cannot read {tmp_path}/nothing" in what
    assert f"as uid {os.getuid()}" in what
    assert "SECRET_FILE" in hint


def test_default_files() -> None:
    """Secrets default to the files that the stack generates, unless the variable is set."""
    script = 'default_settings; echo "${POSTGRES_PASSWORD_FILE:-} ${GATEWAY_DB_PASSWORD_FILE:-}"'

    assert value_of(bash(script)) == (
        "/run/postgres-secrets/postgres_password /run/postgres-secrets/gateway_db_password\n"
    )
    assert value_of(bash(script, POSTGRES_PASSWORD="a", GATEWAY_DB_PASSWORD="b")) == " \n"


def test_default_names() -> None:
    """The gateway's role is gateway and its database litellm, unless they are named."""
    script = 'default_settings; echo "$GATEWAY_DB_USER $GATEWAY_DB_NAME $PGDATA"'

    assert value_of(bash(script)) == "gateway litellm /var/lib/postgresql/data/pgdata\n"
    assert value_of(bash(script, GATEWAY_DB_USER="u", GATEWAY_DB_NAME="n", PGDATA="/p")) == (
        "u n /p\n"
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GATEWAY_DB_USER", "postgres"),
        ("GATEWAY_DB_USER", "pg_monitor"),
        ("GATEWAY_DB_NAME", "postgres"),
        ("GATEWAY_DB_NAME", "template1"),
    ],
)
def test_names_of_postgres(variable: str, value: str) -> None:
    """Names that PostgreSQL uses itself are refused, with what to set."""
    what, hint = two_lines(bash("default_settings; verify_settings", **{variable: value}))

    assert what.startswith(f"{variable} is '{value}'")
    assert hint.startswith(f"set {variable} to a name of its own")


def test_empty_volume(tmp_path: Path, programs: Path) -> None:
    """An empty volume is fine."""
    value_of(bash("verify_volume", programs, PGDATA=str(tmp_path / "pgdata")))


def test_lost_and_found(tmp_path: Path, programs: Path) -> None:
    """So is one that is a file system of its own, with its lost+found."""
    (tmp_path / "lost+found").mkdir()

    value_of(bash("verify_volume", programs, PGDATA=str(tmp_path / "pgdata")))


def cluster(folder: Path, version: str) -> None:
    """Make what looks like a cluster of that major version."""
    folder.mkdir(exist_ok=True)
    (folder / "PG_VERSION").write_text(f"{version}\n", encoding="utf-8")


def test_same_major_version(tmp_path: Path, programs: Path) -> None:
    """A cluster of the same major version is taken."""
    cluster(tmp_path / "pgdata", "17")

    value_of(bash("verify_volume", programs, PGDATA=str(tmp_path / "pgdata")))


@pytest.mark.parametrize("version", ["15", "18", "9.6", "1"])
def test_other_major_version(tmp_path: Path, programs: Path, version: str) -> None:
    """Another one is refused, naming both versions, what to do, and a chapter that exists."""
    cluster(tmp_path / "pgdata", version)

    done = bash("verify_volume", programs, PGDATA=str(tmp_path / "pgdata"))

    what, hint = two_lines(done)
    assert f"PostgreSQL {version} cluster" in what
    assert "runs PostgreSQL 17" in what
    assert f"dump it with a PostgreSQL {version} image" in hint
    assert "postgres/README.md, other major version" in hint
    readme = (POSTGRES / "README.md").read_text(encoding="utf-8")
    assert re.search("^## Other major version$", readme, re.MULTILINE)


def test_no_cluster(tmp_path: Path, programs: Path) -> None:
    """A data folder that holds something else is left alone."""
    (tmp_path / "pgdata").mkdir()
    (tmp_path / "pgdata" / "holiday.jpg").touch()

    done = bash("verify_volume", programs, PGDATA=str(tmp_path / "pgdata"))

    assert two_lines(done)[0] == f"{tmp_path}/pgdata exists, but holds no PostgreSQL cluster"


def test_volume_of_another_image(tmp_path: Path, programs: Path) -> None:
    """A cluster in the volume's root, as upstream's image makes it, is pointed out."""
    cluster(tmp_path, "17")

    done = bash("verify_volume", programs, PGDATA=str(tmp_path / "pgdata"))

    assert f"set PGDATA={tmp_path}" in two_lines(done)[1]


def test_volume_is_missing(tmp_path: Path, programs: Path) -> None:
    """A volume that cannot be written to is an error that tells which owner it needs."""
    done = bash("verify_volume", programs, PGDATA=str(tmp_path / "no" / "pgdata"))

    what, hint = two_lines(done)
    assert what == f"cannot write to {tmp_path}/no as uid {os.getuid()}"
    assert f"chown {os.getuid()}:" in hint


def test_interrupted_first_start(tmp_path: Path, programs: Path) -> None:
    """A crash while the cluster is made leaves no data folder, and the next start begins again."""
    program(
        programs / "initdb", 'for a; do :; done; mkdir -p "$NEW"; touch "$NEW/half"; kill -9 $PPID'
    )
    environment = {
        "PGDATA": str(tmp_path / "pgdata"),
        "NEW": str(tmp_path / "pgdata.initializing"),
        "POSTGRES_PASSWORD": "a",
        "GATEWAY_DB_USER": "u",
        "GATEWAY_DB_NAME": "n",
    }

    crashed = bash("create_cluster", programs, **environment)
    assert crashed.returncode == -signal.SIGKILL
    assert (tmp_path / "pgdata.initializing" / "half").exists()
    assert not (tmp_path / "pgdata").exists()

    program(programs / "initdb", 'mkdir "$NEW"; echo 17 >"$NEW/PG_VERSION"')
    again = bash("apply_roles() { :; }; create_cluster", programs, **environment)

    assert "removing what an interrupted first start left behind" in value_of(again)
    assert sorted(each.name for each in (tmp_path / "pgdata").iterdir()) == ["PG_VERSION"]


def test_failed_initdb(tmp_path: Path, programs: Path) -> None:
    """An initdb that fails is an error with its own last words."""
    program(programs / "initdb", 'echo "initdb: error: No space left on device" >&2; exit 1')

    done = bash(
        "create_cluster",
        programs,
        PGDATA=str(tmp_path / "pgdata"),
        POSTGRES_PASSWORD="geheim",
    )

    what, hint = two_lines(done)
    assert what == "initdb failed: initdb: error: No space left on device"
    assert "free space" in hint


def test_password_is_no_argument(tmp_path: Path, programs: Path) -> None:
    """No program is started with a password among its arguments."""
    for name in ("initdb", "pg_ctl", "psql", "mv", "rm", "sync"):
        program(programs / name, f'echo "$0 $*" >>"{tmp_path}/arguments"')

    value_of(
        bash(
            "default_settings; create_cluster",
            programs,
            PGDATA=str(tmp_path / "pgdata"),
            POSTGRES_PASSWORD="geheim-1",
            GATEWAY_DB_PASSWORD="geheim-2",
        )
    )

    arguments = (tmp_path / "arguments").read_text(encoding="utf-8")
    assert "psql" in arguments
    assert "geheim" not in arguments


def test_other_command() -> None:
    """Another command than postgres is run as it is."""
    assert value_of(bash("_main echo hello")) == "hello\n"


def health(programs: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the health check with these programs first on PATH."""
    return subprocess.run(
        [str(POSTGRES / "health.sh")],
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "GATEWAY_DB_PASSWORD": "geheim",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_health_asks_over_tcp(tmp_path: Path, programs: Path) -> None:
    """The check asks over TCP, as the gateway's role, and hands over no password as an argument."""
    for name in ("pg_isready", "psql"):
        program(programs / name, f'echo "$0 $* pw=$PGPASSWORD" >>"{tmp_path}/calls"')

    done = health(programs)

    ready, query = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert (done.returncode, done.stdout) == (0, "healthy\n")
    assert "-h 127.0.0.1" in ready
    assert "--host=127.0.0.1" in query
    assert "--username=gateway --dbname=litellm" in query
    assert query.count("geheim") == 1
    assert query.endswith("pw=geheim")


@pytest.mark.parametrize(
    ("broken", "says"),
    [("pg_isready", "no response"), ("psql", "role gateway cannot query litellm: no response")],
)
def test_health_fails(programs: Path, broken: str, says: str) -> None:
    """It fails when the server does not accept, and when it accepts but the role gets no answer."""
    for name in ("pg_isready", "psql"):
        program(programs / name, "true")
    program(programs / broken, 'echo "no response" >&2; exit 2')

    done = health(programs)

    assert done.returncode == 1
    assert done.stderr == f"unhealthy: {says}\n"


def test_health_of_external() -> None:
    """With another database in use it is healthy without asking anybody."""
    done = health(Path("/nowhere"), POSTGRES_EXTERNAL="true")

    assert done.returncode == 0
    assert "POSTGRES_EXTERNAL=true" in done.stdout


def test_every_setting_has_a_reason() -> None:
    """Each setting in postgresql.conf says on its own line why it is there."""
    lines = (POSTGRES / "postgresql.conf").read_text(encoding="utf-8").splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]

    assert len(settings) > 10
    assert [line for line in settings if not re.search(r"^\w+ = \S.*\s# .{10}", line)] == []

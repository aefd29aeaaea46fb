"""`./run upgrade` with an engine that only answers: the order of things, and the way back."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.stack import REPOSITORY
from support.wait import until

# Writes down each call with the version that it is for, answers as an engine with a running stack
# does, fails where FAILS says and hangs where HANGS says, with ctrl-c pressed in a restore.
DOCKER = r"""
# Like every Go program it hears ctrl-c though bash told it to ignore that.
[ -n "$HEARS" ] || HEARS=yes exec env --default-signal=INT "$0" "$@"
unset HEARS
call=$(printf '%s' "${STACK_VERSION:-new}: $*" |
  sed 's/ compose / /; s/ --progress quiet//; s/ --project-name litellm-proxy//')
echo "$call" >>"$CALLS"
case $call in $FAILS) exit 1 ;; $HANGS) exec sleep 600 ;; esac
case $* in
  "compose config") echo "name: shop" ;;
  "compose config postgres") echo "      POSTGRES_EXTERNAL: \"$EXTERNAL\"" ;;
  "compose config --images"*) echo litellm-proxy-service/gateway:new ;;
  compose\ ps*--services*) printf '%s\n' $RUNS ollama postgres ;;
  compose\ ps*--quiet*gateway) case $RUNS in gateway*) echo container-of-gateway ;; esac ;;
  compose\ ps*--quiet*) echo "container-of-$5" ;;
  compose\ ps*postgres) echo healthy ;;
  compose\ ps*gateway | compose\ ps*litellm) echo "$GATEWAY" ;;
  "inspect --format {{.Image}}"*) echo image-of-before ;;
  "inspect --format {{.State.StartedAt}}"*)
    if grep -q ": up" "$CALLS"; then echo "$BEGAN"; else echo before; fi
    ;;
  *"backup create") echo "a backup" ;;
  *"restore --replace") [ -z "$HANGS" ] || kill -s INT -- "-$(ps -o sid= -p $$ | tr -d ' ')" ;;
esac
"""
TAG = "before-upgrade-shop"
CHANGING = {"tag", "build", "stop", "run", "up"}
NEW_START = "new: up --no-build *"


def archive(verb: str) -> str:
    """Return the call that runs the old version's backup program."""
    return f"{TAG}: run --rm --no-deps --no-TTY --quiet-pull backup {verb}"


STOP = "new: stop backend-stub litellm gateway"
SAVED = [
    *(
        f"new: tag image-of-before litellm-proxy-service/{name}:{TAG}"
        for name in ("gateway", "ollama", "postgres")
    ),
    STOP,
    archive("create"),
    archive("verify"),
]
STARTED = [
    "new: up --detach --no-build ollama",
    "new: up --no-build --wait gateway litellm postgres",
]
STARTED_AGAIN = [call.replace("new:", f"{TAG}:") for call in STARTED]
PUT_BACK = [f"{TAG}: up --no-build --wait postgres", archive("restore --replace")]


@dataclass(frozen=True)
class Upgrade:
    """How an upgrade ended.

    Attributes:
        code: its exit code.
        said: its standard error.
        calls: those of the engine that change something, as "VERSION: what compose was told".
        backups: the files in backups/.
    """

    code: int
    said: str
    calls: list[str]
    backups: list[str]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what ./run needs, with a docker command that only answers."""
    for folder in ("bootstrap", "commands"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    shutil.copy(REPOSITORY / "run", tmp_path)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh{DOCKER}")
    docker.chmod(0o755)
    return tmp_path


def upgrade(
    checkout: Path,
    *arguments: str,
    fails: str = "",
    gateway: str = "healthy",
    began: str = "before",
    interrupted: bool = False,
    external: str = "",
    runs: str = "gateway litellm",
) -> Upgrade:
    """Run it.

    Args:
        checkout: where.
        arguments: of the command.
        fails: a shell pattern of the calls that fail.
        gateway: its health.
        began: when the gateway's container did, as seen from the way back.
        interrupted: whether ctrl-c is pressed while the new version starts, and on the way back.
        external: "true" when DATABASE_URL is set.
        runs: the services of the previous version, besides ollama and postgres.
    """
    calls = checkout / "calls"
    running = subprocess.Popen(
        ["./run", "upgrade", *arguments],
        cwd=checkout,
        env={
            "PATH": f"{checkout}/bin:{os.environ['PATH']}",
            "HOME": str(checkout),
            "CALLS": str(calls),
            "FAILS": fails,
            "HANGS": NEW_START if interrupted else "",
            "GATEWAY": gateway,
            "BEGAN": began,
            "EXTERNAL": external,
            "RUNS": runs,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    if interrupted:
        until(lambda: STARTED[-1] in calls.read_text(), seconds=60, what="the new version's start")
        os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=60)
    told = calls.read_text().splitlines() if calls.exists() else []
    return Upgrade(
        running.returncode,
        said,
        [call for call in told if call.split()[1] in CHANGING],
        [file.name for file in sorted((checkout / "backups").glob("*"))],
    )


def test_the_old_images_are_kept_and_the_data_saved_before_the_start(checkout: Path) -> None:
    """Images, stop, backup by the old version, start; steps are counted and the file is named."""
    done = upgrade(checkout, "--no-build")

    assert done.code == 0
    assert done.calls == [*SAVED, *STARTED]
    assert re.findall("^(./3) ", done.said, re.MULTILINE) == ["1/3", "2/3", "3/3"]
    assert done.backups[0] in done.said.splitlines()[-1]


def test_the_gateway_of_version_01_is_taken_over(checkout: Path) -> None:
    """It was LiteLLM itself, in a service of that name: the gateway's service goes on with it."""
    done = upgrade(checkout, "--no-build", runs="litellm")

    assert done.code == 0
    assert done.calls[0] == f"new: tag image-of-before litellm-proxy-service/gateway:{TAG}"
    assert done.calls[-1] == "new: up --no-build --wait gateway postgres"


def test_a_gateway_that_is_not_well_is_left_alone(checkout: Path) -> None:
    """Without a healthy start nobody could tell whether it works: nothing is touched."""
    done = upgrade(checkout, gateway="unhealthy")

    assert (done.code, done.calls) == (1, [])
    assert "the gateway is not healthy" in done.said


def test_a_misspelt_option_is_named(checkout: Path) -> None:
    """It is refused before anything is done, with where to look."""
    done = upgrade(checkout, "--nobuild")

    assert (done.code, done.calls) == (1, [])
    assert "upgrade does not know '--nobuild'" in done.said


@pytest.mark.parametrize(
    ("arguments", "fails", "reason"),
    [
        ((), "*: build *", "build failed"),
        (("--no-build",), "*: image inspect litellm-*", "there is no image"),
    ],
    ids=["a build fails", "an image is missing"],
)
def test_without_new_images_the_old_version_serves_on(
    checkout: Path, arguments: tuple[str, ...], fails: str, reason: str
) -> None:
    """The gateway is not even stopped."""
    done = upgrade(checkout, *arguments, fails=fails)

    assert done.code == 1
    assert not {"stop", "up"} & {call.split()[1] for call in done.calls}
    assert reason in done.said
    assert "the previous version keeps serving" in done.said


def test_without_a_backup_the_old_version_starts_again(checkout: Path) -> None:
    """There would be no way back, so the new version is not started at all."""
    done = upgrade(checkout, "--no-build", fails="*backup create")

    assert done.code == 1
    assert done.calls == [*SAVED[:-1], *STARTED_AGAIN]
    assert "not upgraded; the previous version serves again" in done.said
    assert done.backups == []


def test_a_start_that_fails_goes_back_to_images_and_data(checkout: Path) -> None:
    """The old program puts the old data back before the old gateway starts."""
    done = upgrade(checkout, "--no-build", fails=NEW_START)

    assert done.code == 1
    assert done.calls == [*SAVED, *STARTED, STOP, *PUT_BACK, *STARTED_AGAIN]
    assert f"run again, with the data of backups/{done.backups[0]}" in done.said


def test_a_gateway_that_never_ran_wrote_nothing(checkout: Path) -> None:
    """A container that was made and not started has no costs to keep."""
    done = upgrade(checkout, "--no-build", fails=NEW_START, began="0001-01-01T00:00:00Z")

    assert len(done.backups) == 1


def test_what_a_started_gateway_wrote_is_kept(checkout: Path) -> None:
    """It may have answered before it failed: the costs are in a second file."""
    done = upgrade(checkout, "--no-build", fails=NEW_START, began="later")

    assert done.code == 1
    assert [name.split("-", 2)[2] for name in done.backups] == [
        "before-upgrade.backup",
        "failed-upgrade.backup",
    ]
    assert f"is kept in backups/{done.backups[1]}" in done.said


def test_a_database_of_the_users_own_is_not_emptied(checkout: Path) -> None:
    """Only the images go back, and it says where the previous data is."""
    done = upgrade(checkout, "--no-build", fails=NEW_START, external="true")

    assert done.code == 1
    assert archive("restore --replace") not in done.calls
    assert f"its previous state is in backups/{done.backups[0]}" in done.said


def test_when_nothing_starts_the_data_is_named(checkout: Path) -> None:
    """A way back that fails too says what to do by hand."""
    done = upgrade(checkout, "--no-build", fails="*: up --no-build --wait gateway *")

    assert done.code == 1
    assert "the previous version does not start" in done.said
    assert f"it has the data of backups/{done.backups[0]}" in done.said


def test_ctrl_c_goes_back(checkout: Path) -> None:
    """Interrupted while the new version starts it is undone, also when pressed once more then."""
    done = upgrade(checkout, "--no-build", interrupted=True)

    assert done.code == 1
    assert done.calls == [*SAVED, *STARTED, STOP, *PUT_BACK, *STARTED_AGAIN]
    assert f"run again, with the data of backups/{done.backups[0]}" in done.said

"""What ./run says before there is anything to run on."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from support.stack import REPOSITORY

NO_ENGINE = "unix:///nonexistent/docker.sock"
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


def run(
    *arguments: str, home: Path, prefix: tuple[str, ...] = (), cwd: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """Call ./run where no container engine answers."""
    return subprocess.run(
        [*prefix, str(REPOSITORY / "run"), *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_HOST": NO_ENGINE},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_help_lists_every_command(tmp_path: Path) -> None:
    """Help names each command with its purpose, from the comments above the functions."""
    done = run("help", home=tmp_path)

    listed = set(re.findall(r"^  ([a-z]+) .* {2,}\S", done.stdout, re.MULTILINE))
    assert done.returncode == 0
    assert {"up", "down", "destroy", "status", "test", "spend", "key", "logs", "help"} <= listed


def test_without_arguments_it_shows_the_help(tmp_path: Path) -> None:
    """A newcomer who types ./run alone sees what there is."""
    assert run(home=tmp_path).stdout == run("help", home=tmp_path).stdout


def test_its_own_flags_for_help_show_the_help(tmp_path: Path) -> None:
    """`./run --help` and `./run -h` are what a newcomer tries first."""
    listed = run("help", home=tmp_path).stdout

    assert [run(flag, home=tmp_path).stdout for flag in ("--help", "-h")] == [listed, listed]


def test_every_command_has_its_own_help(tmp_path: Path) -> None:
    """`./run COMMAND --help` says how it is called, and runs nothing."""
    for command in ("up", "destroy", "spend", "test", "help"):
        done = run(command, "--help", home=tmp_path)

        assert done.returncode == 0, command
        assert done.stdout.startswith(f"usage: ./run {command}"), command


def test_a_commands_help_holds_all_its_comment(tmp_path: Path) -> None:
    """What the comment above a command says after its first line is shown too."""
    assert "Parts: lint, unit" in run("help", "test", home=tmp_path).stdout


def test_the_old_name_of_the_evaluation_names_the_new_one(tmp_path: Path) -> None:
    """`./run models gate`, as in 0.1, still evaluates, and says what to call instead."""
    old, new = (run("models", name, "m", home=tmp_path).stderr for name in ("gate", "evaluate"))

    note = "'./run models gate' is now './run models evaluate'; the old name works until 0.3\n"
    assert old == note + new


def test_it_works_from_any_folder(tmp_path: Path) -> None:
    """The command finds its project from any folder."""
    assert run("help", home=tmp_path, cwd=tmp_path).returncode == 0


def test_an_unknown_command_is_named(tmp_path: Path) -> None:
    """A misspelt command is repeated, with where to look."""
    done = run("upp", home=tmp_path)

    assert done.returncode == 1
    assert "there is no command 'upp'" in done.stderr
    assert "./run help" in done.stderr


def test_a_private_function_is_no_command(tmp_path: Path) -> None:
    """Functions of the script that are not listed in the help cannot be called."""
    assert run("_url", home=tmp_path).returncode == 1
    assert run("main", home=tmp_path).returncode == 1


def test_a_user_without_an_engine_is_told_what_to_install(tmp_path: Path) -> None:
    """Who is not root gets one clear message, and nothing is downloaded."""
    tmp_path.chmod(0o777)

    done = run("up", home=tmp_path, prefix=NOBODY)

    assert done.returncode == 1
    assert "no container engine answers" in done.stderr
    assert "docs.docker.com/engine/install" in done.stderr
    assert not list(tmp_path.iterdir())


def test_logs_of_a_request_want_an_id(tmp_path: Path) -> None:
    """Too short an id would match lines of other requests."""
    for arguments in (["--request"], ["--request", "a1"], ["--request="]):
        assert "8 characters" in run("logs", *arguments, home=tmp_path).stderr, arguments


def test_commands_that_need_an_engine_say_so(tmp_path: Path) -> None:
    """Status, logs, spend and the like fail with a reason when no engine answers."""
    for command in ("status", "logs", "spend", "key", "check"):
        done = run(command, home=tmp_path)

        assert done.returncode == 1, command
        assert "no container engine answers" in done.stderr, command


def test_swarm_knows_only_its_own_commands(tmp_path: Path) -> None:
    """A misspelt one is repeated; `render` needs an engine for the converter's image."""
    assert "swarm does not know 'rendr'" in run("swarm", "rendr", home=tmp_path).stderr
    assert "no container engine answers" in run("swarm", "render", home=tmp_path).stderr

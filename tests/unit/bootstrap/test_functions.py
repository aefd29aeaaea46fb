"""The bootstrap's functions, sourced and called one by one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.stack import REPOSITORY

PARTS = ("lib", "packages", "engine", "images", "model", "build")


def bash(
    script: str, home: Path, path: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script in which the bootstrap's functions are defined."""
    sources = "\n".join(f". bootstrap/{part}.sh" for part in PARTS)
    return subprocess.run(
        ["bash", "-Eeuo", "pipefail", "-c", f"{sources}\n{script}"],
        cwd=REPOSITORY,
        env={"PATH": path or os.environ["PATH"], "HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def fake_command(folder: Path, name: str, script: str) -> str:
    """Put a command into a folder and return a PATH that finds it first."""
    folder.mkdir(exist_ok=True)
    command = folder / name
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_a_failed_step_shows_the_end_of_its_log_and_what_to_do(tmp_path: Path) -> None:
    """The user sees the last lines, the whole log's place and a hint, and the run ends."""
    done = bash("step try 'trying' 'check the net' sh -c 'echo boom; exit 3'; echo on", tmp_path)

    assert done.returncode == 1
    assert "| boom" in done.stderr
    assert "exit code 3" in done.stderr
    assert "check the net" in done.stderr
    assert "on" not in done.stdout


def test_a_failure_inside_a_steps_function_is_not_passed_over(tmp_path: Path) -> None:
    """A function stops at its first failing command, though it goes on below."""
    done = bash("work() { false; true; }; step work 'working' 'hint' work", tmp_path)

    assert done.returncode == 1


def test_a_quick_step_says_one_line(tmp_path: Path) -> None:
    """What takes under two seconds is not reported twice."""
    done = bash("step quick 'being quick' 'hint' true", tmp_path)

    assert done.stderr == "being quick\n"


def test_the_mirror_is_the_one_this_machine_uses(tmp_path: Path) -> None:
    """Packages come from the mirror in the machine's own apt sources."""
    path = fake_command(
        tmp_path / "bin",
        "apt-get",
        'echo "$0-suite main http://wrong.example/debian/"; '
        '. /etc/os-release; echo "$VERSION_CODENAME main http://mirror.example/debian/"',
    )

    assert bash("debian_mirror", tmp_path, path).stdout == "http://mirror.example/debian\n"


def test_a_mirror_can_be_named(tmp_path: Path) -> None:
    """DEBIAN_MIRROR wins over the machine's own."""
    done = bash("debian_mirror", tmp_path, DEBIAN_MIRROR="http://other.example/debian/")

    assert done.stdout == "http://other.example/debian\n"


def test_without_a_mirror_it_says_what_to_set(tmp_path: Path) -> None:
    """A machine whose sources name none is told of DEBIAN_MIRROR."""
    path = fake_command(tmp_path / "bin", "apt-get", "true")

    done = bash("debian_mirror", tmp_path, path)

    assert done.returncode == 1
    assert "set DEBIAN_MIRROR" in done.stderr


def test_an_image_that_is_there_is_neither_pulled_nor_built(tmp_path: Path) -> None:
    """With every base image present nothing is missing, and no registry is asked."""
    path = fake_command(tmp_path / "bin", "docker", '[ "$1 $2" = "image inspect" ]')

    done = bash("images_missing", tmp_path, path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_image_that_can_be_pulled_is_pulled(tmp_path: Path) -> None:
    """Substitutes are only for images that can be neither found nor pulled."""
    path = fake_command(tmp_path / "bin", "docker", '[ "$1" = pull ]')

    done = bash("images_missing", tmp_path, path)

    assert done.stdout == ""
    assert done.stderr.count("pulling ") == 3


def test_an_unreachable_registry_is_asked_once(tmp_path: Path) -> None:
    """After a failed connection the other images go straight to their substitutes."""
    path = fake_command(
        tmp_path / "bin", "docker", '[ "$1" != pull ] || echo "no such host" >&2; exit 1'
    )

    done = bash("images_missing", tmp_path, path)

    assert len(done.stdout.split()) == 3
    assert done.stderr.count("pulling ") == 1
    assert "no such host" in done.stderr


def test_a_tag_that_is_gone_does_not_hide_the_other_images(tmp_path: Path) -> None:
    """A registry that answers "not found" for one image is still asked for the next."""
    path = fake_command(
        tmp_path / "bin", "docker", '[ "$1" != pull ] || echo "manifest unknown" >&2; exit 1'
    )

    assert bash("images_missing", tmp_path, path).stderr.count("pulling ") == 3


def test_every_base_image_has_a_folder_that_builds_its_substitute(tmp_path: Path) -> None:
    """Each name on the list leads to a Dockerfile."""
    done = bash('for i in "${BASE_IMAGES[@]}"; do image_folder "$i"; done', tmp_path)

    for folder in done.stdout.split():
        assert (REPOSITORY / "bootstrap/images" / folder / "Dockerfile").is_file()


@pytest.mark.parametrize(
    "function", ["_model_fetch", "_model_library_reachable", "_model_pulled project"]
)
def test_what_the_model_needs_runs_in_the_python_image(tmp_path: Path, function: str) -> None:
    """Fetching weights and looking for a library is done by the image that has Python in it."""
    path = fake_command(tmp_path / "bin", "docker", f'echo "$@" >> {tmp_path}/asked')
    bash(f"MODELS_DIR={tmp_path}; {function}", tmp_path, path)

    asked = (tmp_path / "asked").read_text().splitlines()
    started = [line for line in asked if line.startswith("run ")]
    assert len(started) == 1
    assert " python:" in started[0]


def test_an_engine_of_the_users_own_is_not_stopped(tmp_path: Path) -> None:
    """`down --engine` stops only what this project started."""
    done = bash(f"ENGINE_RUN={tmp_path}/none; engine_stop", tmp_path)

    assert done.returncode == 0
    assert "no engine that this project started" in done.stderr

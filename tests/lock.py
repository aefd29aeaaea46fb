"""Write the locks, each from the pyproject.toml beside it: `python tests/lock.py [UV OPTION…]`.

Needs Python 3.13 and uv (`pip install uv`). Versions stay as they are where nothing asks for
others; options such as `--upgrade-package NAME` go to `uv pip compile`. A lock names no index, so
that a mirror works without an edit. It has the hashes of what a supported machine can install
(Linux and macOS, x86-64 and ARM, CPython): of a package in C an index has five times as many files.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import tomllib

REPOSITORY = Path(__file__).resolve().parents[1]
SERVICES = ("backend-stub", "ollama", "scripted-upstream")
MACHINES = " or ".join(
    f"(sys_platform == '{system}' and platform_machine == '{machine}')"
    for system, machine in (
        ("linux", "x86_64"),
        ("linux", "aarch64"),
        ("darwin", "x86_64"),
        ("darwin", "arm64"),
    )
)
UNUSED_WHEEL = re.compile(r"-cp3\d+t-|-pp3\d+-")
"""CPython without its global lock, and PyPy, which uv cannot leave out by itself."""


class Lock(NamedTuple):
    """A lock, the projects whose dependencies it holds, and the Pythons that install it.

    Without a project the versions in the lock itself are what somebody chose.
    """

    path: str
    projects: tuple[str, ...] = ()
    python: str = "==3.13.*"


LOCKS = (
    *(Lock(f"{each}/build-requirements.txt") for each in ("gateway", "tests", *SERVICES)),
    Lock("litellm/embedded-postgres-requirements.txt", python=">=3.10,<3.15"),
    Lock("gateway/requirements.txt", ("gateway",), ">=3.10,<3.15"),
    *(Lock(f"{service}/requirements.txt", (service,)) for service in SERVICES),
    Lock("tests/requirements.txt", ("tests", "gateway", *SERVICES)),
    Lock("tests/clients/requirements.txt", ("tests/clients",)),
)


def main(options: list[str]) -> None:
    """Write all locks, or end with uv's message."""
    for lock in LOCKS:
        path = REPOSITORY / lock.path
        if lock.projects:
            resolve(lock, path, options)
        lines = path.read_text().splitlines()
        pins = [line.removesuffix(" \\") for line in lines if line[:1].isalnum()]
        hashes = hashes_of(pins, lock.python)
        entries = [(pin, hashes.get(pin.split(" ;")[0])) for pin in pins]
        path.write_text("".join(_entry(pin, found) for pin, found in entries if found))


def resolve(lock: Lock, path: Path, options: list[str]) -> None:
    """Write the versions of all that the projects need, which may be those that are there."""
    sources = [str(REPOSITORY / project / "pyproject.toml") for project in lock.projects]
    oldest = lock.python.strip(">=").split(",")[0].removesuffix(".*")
    uv("pip", "compile", "--universal", "--python-version", oldest, "--no-header",
       "--no-annotate", "--output-file", str(path), *options, *sources)  # fmt: skip


def hashes_of(pins: list[str], python: str) -> dict[str, list[str]]:
    """Return the hashes of what supported machines can install, by `name==version`."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pyproject.toml").write_text(
            f'[project]\nname = "locks"\nversion = "0"\nrequires-python = "{python}"\n'
            f'dependencies = {pins}\n[tool.uv]\nenvironments = ["{MACHINES}"]\n'
        )
        uv("lock", "--project", folder)
        packages = tomllib.loads((Path(folder) / "uv.lock").read_text())["package"]
    return {
        f"{package['name']}=={package['version']}": sorted(
            file["hash"] for file in _files(package) if not UNUSED_WHEEL.search(file["url"])
        )
        for package in packages
    }


def _files(package: dict[str, Any]) -> list[dict[str, str]]:
    """Return its wheels, and its source where no wheel is for every machine."""
    wheels: list[dict[str, str]] = package.get("wheels", [])
    is_pure = any("-none-any." in each["url"] for each in wheels)
    return wheels if is_pure or "sdist" not in package else [*wheels, package["sdist"]]


def _entry(pin: str, hashes: list[str]) -> str:
    return " \\\n    ".join([pin, *(f"--hash={each}" for each in hashes)]) + "\n"


def uv(*arguments: str) -> None:
    """Run uv with the Python that runs this, or end with its message."""
    environment = os.environ | {"UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"}
    if code := subprocess.run(
        ("uv", "--quiet", *arguments), check=False, env=environment
    ).returncode:
        raise SystemExit(code)


if __name__ == "__main__":
    main(sys.argv[1:])

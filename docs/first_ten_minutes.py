"""Writes docs/first-ten-minutes.md: a fresh clone, the documented commands, what they printed.

`./run transcript` calls it on the host, as a newcomer would stand there, and not in the test image:
what is missing on a machine is then missing here too. It clones the checkout's last commit, gives
the stack a project name and ports of its own, and removes both at the end. Secrets, paths of this
machine and hosts of its mirrors are replaced in what is written. Needs Python 3.10 and git.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parents[1]
TRANSCRIPT = REPOSITORY / "docs/first-ten-minutes.md"
CLONE = "litellm-proxy-service"

EXTRACT = """\
curl -d '{"text":"Der Hund schläft im Garten, weil er müde ist."}' \
-H 'content-type: application/json' localhost:8000/extract"""
CHAT = """\
eval "$(./run key)"
curl "$OPENAI_BASE_URL/chat/completions" -H "Authorization: Bearer $OPENAI_API_KEY" \
-H 'content-type: application/json' \\
  -d '{"model":"extraction-model","messages":[{"role":"user","content":"Hallo!"}],\
"max_tokens":50}'"""
STEPS = (
    ("Start", "./run up"),
    ("The first answer", EXTRACT),
    ("A key for any OpenAI client", "./run key"),
    ("The gateway itself", CHAT),
    ("What it cost", "./run spend"),
    ("Which models there are", "./run models"),
    ("How it is", "./run status"),
    ("Is anything wrong?", "./run doctor || true"),
    ("Stop, keep the data", "./run down"),
)
"""What is run, in order, each of it a line or lines of a guide."""

SHOWN_LINES = 60
"""More lines of one command are cut in the middle, and it is said how many."""

PUBLIC_HOSTS = ("127.0.0.1", "localhost", "host.docker.internal", "ollama", "litellm")
"""Hosts that a reader's machine has too; any other becomes a placeholder."""


@dataclass(frozen=True)
class Machine:
    """What the commands ran on, and what was there already.

    Attributes:
        memory: in GB.
        engine: whether a container engine answered before the first command.
        images: of the stack and below it that were there before.
    """

    system: str
    cores: int
    memory: int
    engine: bool
    images: tuple[str, ...]

    @property
    def words(self) -> str:
        """The machine in a paragraph."""
        if not self.engine:
            found = "Bare: no container engine answered, so there were no images either."
        elif not self.images:
            found = "A container engine ran; none of the stack's images was there."
        else:
            found = (
                f"A container engine ran, and {len(self.images)} images were there already "
                f"({', '.join(self.images)}): on a machine without them the start takes longer."
            )
        return f"{self.system}, {self.cores} cores, {self.memory} GB of memory. {found}"


@dataclass(frozen=True)
class Step:
    """One command as it went.

    Attributes:
        output: both of its streams, as they came.
        seconds: that it took.
        code: that it ended with.
    """

    title: str
    command: str
    output: str
    seconds: float
    code: int


class Scrubber:
    """Takes out of text what is this machine's own.

    Args:
        paths: path → what stands for it; the longest is replaced first.
        ports: port → the documented one.
        project: of compose, whose usual name takes its place.
        hosts: names that must not be shown.
    """

    def __init__(
        self, paths: Mapping[str, str], ports: Mapping[int, int], project: str, hosts: set[str]
    ) -> None:
        self._words = {
            **dict(sorted(paths.items(), key=lambda item: -len(item[0]))),
            **{f":{port}": f":{usual}" for port, usual in ports.items()},
            project: "litellm-proxy",
        }
        names = "|".join(re.escape(host) for host in sorted(hosts, key=len, reverse=True) if host)
        self._hosts = re.compile(rf"(?<![\w-])(?:{names or '(?!)'})(?![\w-])")

    def __call__(self, text: str) -> str:
        """Return the text without keys, paths, mirrors, and the terminal's movements."""
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")
        for word, shown in self._words.items():
            text = text.replace(word, shown)
        text = self._hosts.sub("HOST", text)
        text = re.sub(r"\bsk-[A-Za-z0-9_-]{8,}", "sk-…", text)
        return re.sub(r"(https?://)([^/\s\"'@]+@)?([A-Za-z0-9.-]+)", _known_host, text)


def _known_host(found: re.Match[str]) -> str:
    host = found[3]
    return f"{found[1]}{host if host in PUBLIC_HOSTS else 'HOST'}"


def mirrors(environment: Mapping[str, str]) -> set[str]:
    """Return the hosts that variables of the environment name as proxies or registries."""
    pattern = r"https?://(?:[^/\s@]+@)?([A-Za-z0-9.-]+)"
    return {host for value in environment.values() for host in re.findall(pattern, value)}


def newcomers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what a developer has set of the stack's own variables."""
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    own = {*re.findall(r"^#(\w+)=", example, re.MULTILINE)} - {"HTTPS_PROXY", "NO_PROXY"}
    return {name: value for name, value in environment.items() if name not in own}


def observe_machine() -> Machine:
    """Return what the commands are about to run on."""
    meminfo = Path("/proc/meminfo")
    kilobytes = re.search(r"MemTotal:\s+(\d+)", meminfo.read_text()) if meminfo.exists() else None
    listed = _quietly("docker", "image", "ls", "--format", "{{.Repository}}")
    known = re.compile(rf"^({CLONE}/(backend-stub|gateway|litellm|ollama|postgres)|ollama/ollama)$")
    names = {name.removeprefix(f"{CLONE}/") for name in (listed or "").split() if known.match(name)}
    return Machine(
        system=_system(),
        cores=os.cpu_count() or 1,
        memory=round(int(kilobytes[1]) / 1e6) if kilobytes else 0,
        engine=listed is not None,
        images=tuple(sorted(names)),
    )


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _quietly(*command: str) -> str | None:
    """Return what a command printed; None when it is not there or failed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def free_port() -> int:
    """Return a TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_step(title: str, command: str, folder: Path, environment: Mapping[str, str]) -> Step:
    """Run a command as a newcomer would, but on this stack's ports; return how it went."""
    print(f"{title} …", file=sys.stderr, flush=True)
    here = command.replace("localhost:8000", f"127.0.0.1:{environment['BACKEND_PORT']}")
    here = re.sub(r"^curl ", "curl --fail-with-body -sS ", here, flags=re.MULTILINE)
    started = time.monotonic()
    done = subprocess.run(
        ["bash", "-c", here],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    output = done.stdout.decode(errors="replace")
    return Step(title, command, output, time.monotonic() - started, done.returncode)


def shortened(output: str) -> list[str]:
    """Return an output's lines, without compose's progress and the middle of a long one.

    On a terminal compose writes its lines over one another; in a file they would hide the rest.
    """
    lines: list[str] = []
    for moves, group in groupby(output.strip("\n").split("\n"), _is_a_move_of_compose):
        found = [line.rstrip() for line in group]
        lines += [f"… {len(found)} lines of compose left out …"] if moves else found
    left_out = len(lines) - SHOWN_LINES
    if left_out <= 0:
        return lines if any(lines) else []
    half = SHOWN_LINES // 2
    return [*lines[:half], f"… {left_out} lines left out …", *lines[-half:]]


def _is_a_move_of_compose(line: str) -> bool:
    return re.match(r" (Container|Network|Volume) \S+ +[A-Z][a-z]+$", line) is not None


def page(machine: Machine, steps: list[Step], scrub: Scrubber) -> str:
    """Return the transcript as Markdown.

    Args:
        machine: that it ran on.
        steps: as they went, with their documented commands.
        scrub: takes out what is not for others.
    """
    now = datetime.now(timezone.utc)
    total = sum(step.seconds for step in steps)
    lines = [
        "# The first ten minutes",
        "",
        "Written by `./run transcript` (docs/first_ten_minutes.py), not by hand: the first",
        "commands of the guides in a fresh clone, and what they printed. Keys, paths and mirrors",
        "of the machine are replaced.",
        "",
        f"{now:%Y-%m-%d}. {scrub(machine.words)}",
        "",
        "| step | seconds |",
        "|---|---|",
        *(f"| [{step.title}](#{_anchor(step.title)}) | {step.seconds:.1f} |" for step in steps),
        f"| together | {total:.0f} |",
    ]
    for step in steps:
        ended = "" if step.code == 0 else f", exit code {step.code}"
        commands = [f"$ {step.command.splitlines()[0]}"]
        commands += [f"> {line}" for line in step.command.splitlines()[1:]]
        lines += ["", f"## {step.title}", "", f"{step.seconds:.1f} s{ended}", "", "```console"]
        lines += [*commands, *shortened(scrub(step.output)), "```"]
    return "\n".join(lines) + "\n"


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def main() -> None:
    """Clone the repository, run the steps, write the page, and remove the clone."""
    machine = observe_machine()
    folder = Path(tempfile.mkdtemp(prefix="first-ten-minutes-"))
    clone = folder / CLONE
    project = f"first-ten-minutes-{secrets.token_hex(3)}"
    gateway, backend = free_port(), free_port()
    environment = {
        **newcomers(os.environ),
        "COMPOSE_PROJECT_NAME": project,
        "LITELLM_PORT": str(gateway),
        "BACKEND_PORT": str(backend),
        "COMPOSE_ANSI": "never",
    }
    paths = {str(clone): f"~/{CLONE}", str(folder): "~", str(Path.home()): "~"}
    hosts = {socket.gethostname(), *mirrors(os.environ)} - set(PUBLIC_HOSTS)
    scrub = Scrubber(paths, {gateway: 4000, backend: 8000}, project, hosts)
    try:
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
        steps = []
        for title, command in STEPS:
            steps.append(run_step(title, command, clone, environment))
            if steps[-1].code != 0:
                raise SystemExit(f"{command} ended with {steps[-1].code}:\n{steps[-1].output}")
        TRANSCRIPT.write_text(page(machine, steps, scrub), encoding="utf-8")
    finally:
        subprocess.run(
            ["./run", "destroy", "--yes"],
            cwd=clone,
            env=environment,
            capture_output=True,
            check=False,
        )
        shutil.rmtree(folder)
    print(f"{TRANSCRIPT.relative_to(REPOSITORY)}: written")


if __name__ == "__main__":
    main()

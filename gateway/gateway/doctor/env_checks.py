"""Checks of .env and of the shell's variables."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.doctor.env_file import QUOTES, assignments, line_ends, unclosed, values
from gateway.doctor.finding import Finding, Repair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.doctor.facts import Facts

SECRET = re.compile(r"(_KEY|PASSWORD|PASSPHRASE|_TOKEN|DATABASE_URL)$")
TYPOGRAPHIC = "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
UNSET = re.compile(r'The \\?"(?P<name>[^"\\]+)\\?" variable is not set')
OTHERS_MAY_READ = 0o077
LINES_SHOWN = 5


def unclean_lines(facts: Facts) -> Iterator[Finding]:
    """Find line ends of Windows, a byte order mark, and blanks at the end of a line."""
    for file in facts.env_files:
        carriage = [number for number, text in line_ends(file) if text.endswith("\r")]
        blanks = [
            number
            for number, text in line_ends(file)
            if text.rstrip("\r") != text.rstrip("\r").rstrip() and text.strip()
        ]
        seen = [
            f"Windows line ends (CRLF) in {_in_lines(carriage)}" if carriage else "",
            f"blanks at the end of {_in_lines(blanks)}" if blanks else "",
            "a byte order mark in line 1" if file.text.startswith("\ufeff") else "",
        ]
        if any(seen):
            touched = {*carriage, *blanks, *([1] if seen[2] else [])}
            yield Finding(
                f"{file.path} has invisible characters",
                f"{', '.join(filter(None, seen))}; a shell that sources the file takes them for "
                "part of the value, and so does docker run --env-file: keys are refused with 401",
                "./run doctor --fix, which keeps a copy; or save it with Unix line ends (LF)",
                Repair(
                    "clean-env",
                    file.path,
                    f"remove these characters from {file.path}, and keep a copy of it",
                    tuple(sorted(touched)),
                ),
            )


def quotes(facts: Facts) -> Iterator[Finding]:
    """Find quotes that become part of a value, are never closed, or hold blanks at the end."""
    for file in facts.env_files:
        open_at = unclosed(file)
        for line in assignments(file):
            raw = line.raw.strip()
            if any(character in TYPOGRAPHIC for character in raw[:1] + raw[-1:]):
                seen, fix = "typographic quotes, which are part of the value", 'write " or none'
            elif line.number == open_at:
                seen, fix = f"a quote {raw[0]} that is never closed", "close or remove it"
            elif raw[:1] in QUOTES and line.value != line.value.strip():
                seen, fix = "blanks between the quotes, which are part of the value", "remove them"
            elif len(line.value) > 1 and line.value[0] in QUOTES and line.value[-1] in QUOTES:
                seen, fix = "quotes inside of quotes, which are part of the value", "write one pair"
            else:
                continue
            yield Finding(
                f"{line.name} has quotes that do harm",
                f"{file.path}:{line.number} has {seen}",
                f"{file.path}:{line.number}: {fix}",
            )


def compose_reads_files(facts: Facts) -> Iterator[Finding]:
    """Find that compose cannot read .env or a compose file at all."""
    if facts.compose_error:
        yield Finding(
            "compose cannot read its files",
            facts.compose_error,
            "correct the line that it names; .env.example shows the form: NAME=value",
        )


def dollars(facts: Facts) -> Iterator[Finding]:
    """Find a $ in a value, which compose takes for the start of a variable's name."""
    warned = (UNSET.search(warning) for warning in facts.compose_warnings)
    for name in dict.fromkeys(match["name"] for match in warned if match):
        use = re.compile(rf"(?<!\$)\$\{{?{re.escape(name)}\b")
        places = [
            (file.path, line)
            for file in facts.env_files
            for line in assignments(file)
            if use.search(line.raw)
        ]
        for path, line in places:
            yield Finding(
                f"the value of {line.name} is cut at a $",
                f"{path}:{line.number} holds ${name}, and compose puts the variable {name} "
                "in its place, which is unset",
                f"{path}:{line.number}: put the value in single quotes, {line.name}='…'",
            )


def misspelt_names(facts: Facts) -> Iterator[Finding]:
    """Find a variable that nothing reads and whose name is close to one that is read."""
    for file in facts.env_files:
        for line in assignments(file):
            if line.name in facts.known or line.name.startswith("COMPOSE_"):
                continue
            near = get_close_matches(line.name.upper(), facts.known, n=1, cutoff=0.85)
            if near:
                yield Finding(
                    f"nothing reads the variable {line.name}",
                    f"{file.path}:{line.number} sets it; .env.example has none of that name",
                    f"{file.path}:{line.number}: write {near[0]}=",
                )


def shell_wins(facts: Facts) -> Iterator[Finding]:
    """Find variables of the shell that override another value in .env."""
    written = values(facts.env_files)
    for name in facts.known:
        hidden, wins = written.get(name), facts.exported.get(name)
        if hidden and wins is not None and wins != hidden and name != "DATABASE_URL":
            yield Finding(
                f"the shell's {name} overrides the one in .env",
                "both are set, and they differ; compose takes the shell's",
                f"unset {name}; then ./run up",
            )


def database_of_another(facts: Facts) -> Iterator[Finding]:
    """Find a DATABASE_URL in the shell, which may well be another application's."""
    url = facts.exported.get("DATABASE_URL")
    if not url or url == values(facts.env_files).get("DATABASE_URL"):
        return
    yield Finding(
        "DATABASE_URL comes from the shell, perhaps another application's",
        f"it points to {_where(url)}, which .env does not name; the gateway would create its "
        "tables there, and keep keys and costs in them",
        "unset DATABASE_URL, then ./run up; if you want it, put it into .env",
    )


def env_file_is_private(facts: Facts) -> Iterator[Finding]:
    """Find a .env with secrets that other users of this machine can read."""
    for file in facts.env_files:
        secrets = [x.name for x in assignments(file) if x.value and SECRET.search(x.name)]
        if secrets and file.mode is not None and file.mode & OTHERS_MAY_READ:
            yield Finding(
                f"other users of this machine can read {file.path}",
                f"its mode is {file.mode:o}, and it holds {', '.join(secrets)}",
                f"chmod 600 {file.path}",
                Repair("chmod-env", file.path, f"chmod 600 {file.path}"),
            )


def backends_address(facts: Facts) -> Iterator[Finding]:
    """Find a backend's LITELLM_BASE_URL that does not lead to this gateway."""
    given = facts.exported.get("LITELLM_BASE_URL") or values(facts.env_files).get(
        "LITELLM_BASE_URL"
    )
    port = next((p.number for p in facts.ports if p.variable == "LITELLM_PORT"), None)
    if not given or port is None:
        return
    asked = _port(given)
    if asked != port:
        yield Finding(
            "LITELLM_BASE_URL does not lead to this gateway",
            f"it names port {asked}; the gateway is published on 127.0.0.1:{port}",
            f"for a backend of your own: LITELLM_BASE_URL=http://localhost:{port}; the backend of "
            "this stack needs none",
        )


CHECKS = (
    compose_reads_files,
    unclean_lines,
    quotes,
    dollars,
    misspelt_names,
    shell_wins,
    database_of_another,
    env_file_is_private,
    backends_address,
)


def _in_lines(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:LINES_SHOWN])) + (", …" if numbers[LINES_SHOWN:] else "")
    return f"{'line' if len(numbers) == 1 else f'{len(numbers)} lines:'} {shown}"


def _where(url: str) -> str:
    """Return scheme, host and name of a database, without user and password."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "something that is not a URL"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def _port(url: str) -> int | None:
    try:
        parts = urlsplit(url)
        return parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None

""".env.example is the reference of every variable that the compose files read, and of no other."""

from __future__ import annotations

import re

import pytest

from support.stack import REPOSITORY

EXAMPLE = (REPOSITORY / ".env.example").read_text()
LINES = EXAMPLE.splitlines()
# Compose's own and ./run's, and the release's: no knobs of this stack.
NOT_FROM_COMPOSE_FILES = {"COMPOSE_FILE", "COMPOSE_PROFILES", "SWARM_OVERRIDE"}
NOT_FOR_USERS = {"STACK_VERSION"}


def read_by_compose() -> dict[str, str]:
    """Return each variable that the compose files interpolate, with its default."""
    text = "".join(path.read_text() for path in REPOSITORY.glob("docker-compose*.yml"))
    text = re.sub(r"\$\{GOLDEN_MIN_\w+:-\}", "", text)  # names of 0.1, read until 0.3
    return dict(re.findall(r"\$\{(\w+):?[-+]?([^}]*)\}", text))


def described() -> dict[str, str]:
    """Return each variable of .env.example, with the value that it shows."""
    return dict(re.findall(r"^#(\w+)=(.*)$", EXAMPLE, re.MULTILINE))


def test_every_variable_is_described_and_none_too_many() -> None:
    """What the compose files read is in .env.example, and the other way round."""
    assert set(read_by_compose()) - NOT_FOR_USERS == set(described()) - NOT_FROM_COMPOSE_FILES


def test_every_line_is_commented_out() -> None:
    """Copied as it is, the file changes nothing."""
    assert not [line for line in LINES if line and not line.startswith("#")]


@pytest.mark.parametrize("name", sorted(described()))
def test_every_variable_has_its_why(name: str) -> None:
    """Above each variable, or above its group, there is a comment in words."""
    at = next(index for index, line in enumerate(LINES) if line.startswith(f"#{name}="))
    above = next(line for line in reversed(LINES[:at]) if not re.match(r"#\w+=", line))

    assert re.match(r"# \w", above), above


def test_a_default_shown_is_the_default_in_force() -> None:
    """A value in .env.example is what the compose file takes when the variable is unset."""
    shown = described()
    wrong = {
        name: (shown[name], default)
        for name, default in read_by_compose().items()
        if default and name in shown and shown[name] != default
    }

    # The first is an example of another value, the second a switch made of the first's presence.
    assert wrong.keys() <= {"OLLAMA_API_BASE", "DATABASE_URL"} | {
        name for name, (_, default) in wrong.items() if default == "/dev/null"
    }

"""No secret in an image, a container's environment, a log or a process list."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.stack import Stack, image

IMAGES = ("gateway", "postgres", "ollama", "backend-stub")
NAMES = ("litellm_master_key", "litellm_salt_key", "gateway_db_password", "backend_virtual_key")


@pytest.fixture
def values(stack: Stack) -> list[str]:
    """Return every secret of the stack."""
    found = [stack.secret(name) for name in NAMES]
    found.append(stack.execute("postgres", "cat", "/run/postgres-secrets/postgres_password"))
    assert all(len(value) >= 16 for value in found)
    assert len(set(found)) == len(found)
    return found


def test_images_hold_no_secret(stack: Stack, values: list[str]) -> None:
    """The history and the configuration of every image are free of them."""
    for name in IMAGES:
        seen = stack.command("docker", "history", "--no-trunc", image(name)).stdout
        seen += stack.command("docker", "image", "inspect", image(name)).stdout
        assert not [value for value in values if value in seen], name


def test_containers_show_no_secret(stack: Stack, values: list[str]) -> None:
    """What the engine tells of every container, init jobs included, is free of them."""
    identities = stack.compose("ps", "--all", "--quiet").stdout.split()
    seen = stack.command("docker", "inspect", *identities).stdout
    seen += "".join(stack.command("docker", "top", each, check=False).stdout for each in identities)

    assert not [value for value in values if value in seen]


def test_logs_hold_no_secret(stack: Stack, values: list[str]) -> None:
    """What every service wrote since its start is free of them."""
    seen = stack.compose("logs").stdout

    assert not [value for value in values if value in seen]


def test_secrets_stay_the_same(stack: Stack, values: list[str]) -> None:
    """The init job run again keeps what is there."""
    stack.compose("run", "--rm", "--no-TTY", "secrets")

    assert [stack.secret(name) for name in NAMES] == values[: len(NAMES)]


def test_each_service_reads_only_its_own(stack: Stack) -> None:
    """The backend finds no master key, Postgres no salt key, wherever they look."""
    for service in ("backend-stub", "postgres", "ollama"):
        found = stack.execute(
            service, "find", "/run", "/secrets", "-name", "litellm_*", check=False
        )
        assert found == "", service


@pytest.mark.parametrize("key", ["sk-1234", "sk-change-me", "not-a-key-but-long-enough"])
def test_a_weak_master_key_is_refused(make_stack: Callable[..., Stack], key: str) -> None:
    """Nothing starts; the message names the variable and what to set, not the value's twin."""
    stack = make_stack(LITELLM_MASTER_KEY=key)

    done = stack.compose("up", "--detach", "--no-build", check=False)

    assert done.returncode != 0
    log = stack.logs("secrets")
    assert "LITELLM_MASTER_KEY" in log
    assert key not in log
    assert not stack.compose("ps", "--quiet", "postgres").stdout.strip()

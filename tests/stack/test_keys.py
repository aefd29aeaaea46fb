"""`./run key`: keys for people, whose limits and ends the gateway really keeps."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest

from support.scripted import FREE, PRICED, ask
from support.stack import Stack
from support.wait import until

REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
EXPIRY_SECONDS = 20
# Costs reach the database within 5 s, and the keys' sums with the next batch.
BOOKED_SECONDS = 30


@pytest.fixture
def name() -> str:
    """Return a name that no other test uses."""
    return f"test-{uuid4().hex[:8]}"


def create(stack: Stack, name: str, *options: str) -> str:
    """Make a key with a budget of 1 USD and return its secret."""
    done = stack.run("key", "create", name, "--budget", "1", *options, "--json")
    return str(json.loads(done.stdout)["api_key"])


def listed(stack: Stack, name: str) -> dict[str, Any]:
    """Return what the list tells of one key."""
    keys = json.loads(stack.run("key", "list", "--json").stdout)
    found: dict[str, Any] = next(key for key in keys if key["name"] == name)
    return found


def test_a_secret_is_shown_once_and_never_listed(priced_stack: Stack, name: str) -> None:
    """Create prints lines that a shell can evaluate; list has the limits and no secret."""
    options = ["--budget", "2.5", "--rpm", "60", "--models", FREE, "--expires", "30d"]
    made = priced_stack.run("key", "create", name, *options).stdout.splitlines()

    address, secret = (line.split("=", 1)[1] for line in made[:2])
    assert address == f"{priced_stack.gateway_url}/v1"
    assert ask(priced_stack, secret, FREE).status_code == HTTPStatus.OK
    shown = priced_stack.run("key", "list").stdout
    shown += priced_stack.run("key", "list", "--json").stdout
    assert secret not in shown
    assert secret[-4:] not in shown
    key = listed(priced_stack, name)
    assert (key["state"], key["budget_usd"], key["rpm"]) == ("active", 2.5, 60)
    assert key["models"] == [FREE]
    assert key["expires"]


def test_a_blocked_key_is_refused_until_it_is_unblocked(priced_stack: Stack, name: str) -> None:
    """Both take effect with the next request, on a key that was in use."""
    secret = create(priced_stack, name)
    assert ask(priced_stack, secret).status_code == HTTPStatus.OK

    priced_stack.run("key", "block", name)
    assert ask(priced_stack, secret).status_code in REFUSED
    assert listed(priced_stack, name)["state"] == "blocked"

    priced_stack.run("key", "unblock", name)
    assert ask(priced_stack, secret).status_code == HTTPStatus.OK


def test_an_expired_key_is_refused(priced_stack: Stack, name: str) -> None:
    """After its time a key that was in use is refused, and listed as expired."""
    secret = create(priced_stack, name, "--expires", "4s")
    assert ask(priced_stack, secret).status_code == HTTPStatus.OK

    until(
        lambda: ask(priced_stack, secret).status_code in REFUSED,
        seconds=EXPIRY_SECONDS,
        what="the key to expire",
    )
    assert listed(priced_stack, name)["state"] == "expired"


def test_a_deleted_key_is_refused_and_its_name_is_free(priced_stack: Stack, name: str) -> None:
    """The old secret is refused at once; a new key may take the name."""
    secret = create(priced_stack, name)
    assert ask(priced_stack, secret).status_code == HTTPStatus.OK

    priced_stack.run("key", "delete", name)

    assert ask(priced_stack, secret).status_code in REFUSED
    assert ask(priced_stack, create(priced_stack, name)).status_code == HTTPStatus.OK


def test_a_rotated_key_works_and_the_old_secret_does_not(priced_stack: Stack, name: str) -> None:
    """Limits, end and what was spent stay; only the secret is another."""
    old = create(priced_stack, name, "--models", PRICED, "--rpm", "60", "--expires", "30d")
    assert ask(priced_stack, old).status_code == HTTPStatus.OK
    before = until(
        lambda: key if (key := listed(priced_stack, name))["spent_usd"] > 0 else None,
        seconds=BOOKED_SECONDS,
        what="the request's cost to be booked on its key",
    )

    new = json.loads(priced_stack.run("key", "rotate", name, "--json").stdout)["api_key"]

    assert ask(priced_stack, old).status_code in REFUSED
    after = listed(priced_stack, name)
    for kept in ("spent_usd", "budget_usd", "rpm", "models", "state"):
        assert after[kept] == before[kept], kept
    assert after["expires"][:16] == before["expires"][:16]
    assert ask(priced_stack, new).status_code == HTTPStatus.OK


def test_a_key_reaches_only_its_models(priced_stack: Stack, name: str) -> None:
    """Another model is refused before anybody is asked, and it is not in the key's list."""
    secret = create(priced_stack, name, "--models", FREE)

    assert ask(priced_stack, secret, FREE).status_code == HTTPStatus.OK
    assert ask(priced_stack, secret, PRICED).status_code in REFUSED


def test_requests_a_minute_are_counted(priced_stack: Stack, name: str) -> None:
    """The request after the last one allowed is answered with 429."""
    secret = create(priced_stack, name, "--rpm", "3")

    statuses = [ask(priced_stack, secret).status_code for _ in range(4)]

    assert statuses == [HTTPStatus.OK] * 3 + [HTTPStatus.TOO_MANY_REQUESTS]


def test_tokens_a_minute_are_counted(priced_stack: Stack, name: str) -> None:
    """Once the minute's tokens are used up, the next request is answered with 429."""
    secret = create(priced_stack, name, "--tpm", "60")

    statuses = [ask(priced_stack, secret).status_code for _ in range(12)]

    assert statuses[0] == HTTPStatus.OK
    assert statuses[-1] == HTTPStatus.TOO_MANY_REQUESTS


def test_what_is_wrong_is_said_in_lines(priced_stack: Stack, name: str) -> None:
    """Every option that is wrong is named with what is right; a misspelt name gets the nearest."""
    wrong = priced_stack.run(
        *("key", "create", name, "--budget", "five", "--models", "gpt-5", "--expires", "soon"),
        check=False,
    )
    assert wrong.returncode == 2
    assert "--budget: 'five' is not an amount" in wrong.stderr
    assert f"--models: there is no model 'gpt-5'\n    known: {FREE}" in wrong.stderr
    assert "--expires: 'soon' is not a duration\n    give a number and a unit" in wrong.stderr
    assert "Traceback" not in wrong.stderr

    create(priced_stack, name)
    taken = priced_stack.run("key", "create", name, "--budget", "1", check=False)
    misspelt = priced_stack.run("key", "rotate", name[:-1], check=False)
    assert f"there is a key '{name}' already" in taken.stderr
    assert f"did you mean '{name}'" in misspelt.stderr
    assert (taken.returncode, misspelt.returncode) == (2, 2)


def test_the_stacks_own_key_is_not_deleted(priced_stack: Stack) -> None:
    """The backend would lose its access; the message says what changes that key."""
    done = priced_stack.run("key", "delete", "backend-stub", check=False)

    assert done.returncode == 2
    assert "BACKEND_VIRTUAL_KEY" in done.stderr

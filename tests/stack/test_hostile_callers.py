"""What a caller sends is that caller's affair: nobody else's answers change."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from support.hostile import malformed, valid
from support.scripted import PRICED, ask, ledger
from support.spending import make_payer
from support.stack import Stack

MALFORMED = dict(malformed(PRICED))
SECONDS = 30


@pytest.fixture(scope="module")
def hostile(priced_stack: Stack) -> str:
    """Return the key of a caller who makes trouble."""
    return make_payer(priced_stack, "hostile").secret


@pytest.fixture(scope="module")
def victim(priced_stack: Stack) -> str:
    """Return the key of everybody else."""
    return priced_stack.secret("backend_virtual_key")


def post(stack: Stack, key: str, body: bytes, **headers: str) -> requests.Response:
    """Send a body as it is."""
    return requests.post(
        f"{stack.gateway_url}/v1/chat/completions",
        data=body,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers},
        timeout=SECONDS,
    )


def test_every_malformed_request_is_a_4xx_and_hurts_nobody(
    priced_stack: Stack, hostile: str, victim: str
) -> None:
    """Over two hundred kinds, one after the other; another key is answered right after each."""
    before = upstream_calls(priced_stack)
    for name, body in MALFORMED.items():
        answer = post(priced_stack, hostile, body)
        assert 400 <= answer.status_code < 500, f"{name}: {answer.status_code} {answer.text[:200]}"
        assert answer.json()["error"]["message"], name
        assert len(answer.content) < 3000, name
        assert sum(len(value) for value in answer.headers.values()) < 4000, name
        assert ask(priced_stack, victim).status_code == 200, f"after {name}"

    assert upstream_calls(priced_stack) - before == len(MALFORMED)
    conditions = deployments(priced_stack)
    assert {each["condition"] for each in conditions} == {"up"}


def test_a_callers_own_place_or_key_takes_nothing_out(priced_stack: Stack, hostile: str) -> None:
    """Neither a body nor a header sends a provider's key anywhere else."""
    with socket.create_server(("0.0.0.0", 0)) as thief:
        thief.settimeout(0.2)
        place = f"http://host.docker.internal:{thief.getsockname()[1]}/v1"
        for field in ("api_base", "base_url", "proxy_url"):
            post(priced_stack, hostile, body_with(**{field: place}))
            post(priced_stack, hostile, body_with(metadata={field: place}))
        post(priced_stack, hostile, body_with(user_config={"model_list": [{"api_base": place}]}))
        headers = {"x-litellm-api-base": place, "x-api-base": place, "x-gateway-identity": "forged"}
        assert post(priced_stack, hostile, body_with(), **headers).status_code == 200
        with pytest.raises(TimeoutError):
            thief.accept()


def test_slow_cut_and_oversized_bodies_keep_nobody_waiting(
    priced_stack: Stack, hostile: str, victim: str
) -> None:
    """Twenty callers that never finish their bodies, one that hangs up, one of 40 MB."""
    address = urlsplit(priced_stack.gateway_url)
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n"
        f"authorization: Bearer {hostile}\r\ncontent-type: application/json\r\n"
        "content-length: 100000\r\n\r\n{"
    ).encode()
    open_sockets = []
    try:
        for _ in range(20):
            open_sockets.append(
                socket.create_connection((address.hostname or "", address.port or 0))
            )
            open_sockets[-1].sendall(head)
        started = time.monotonic()
        assert ask(priced_stack, victim).status_code == 200
        assert time.monotonic() - started < 5
        open_sockets.pop().close()
        large = post(priced_stack, hostile, body_with(user="u" * (40 << 20)))
        assert large.status_code == 413
        assert ask(priced_stack, victim).status_code == 200
    finally:
        for each in open_sockets:
            each.close()


def test_unknown_keys_cost_others_nothing(priced_stack: Stack, victim: str) -> None:
    """Two hundred made up keys at once are 401, and a known key is answered meanwhile."""
    with ThreadPoolExecutor(20) as callers:
        unknown = callers.map(
            lambda number: ask(priced_stack, f"sk-made-up-{number:010}").status_code, range(200)
        )
        known = [ask(priced_stack, victim).status_code for _ in range(10)]
        assert set(unknown) == {401}
    assert set(known) == {200}


def body_with(**fields: Any) -> bytes:
    """Return a request that is in order but for these fields."""
    return json.dumps({**valid(PRICED), **fields}).encode()


def upstream_calls(stack: Stack) -> int:
    """Return how often the upstream was asked so far."""
    return sum(row["requests"] for row in ledger(stack)["rows"])


def deployments(stack: Stack) -> list[dict[str, Any]]:
    """Return how each deployment is."""
    answer = requests.get(
        f"{stack.gateway_url}/gateway/deployments",
        headers={"Authorization": f"Bearer {stack.secret('litellm_master_key')}"},
        timeout=SECONDS,
    )
    found: list[dict[str, Any]] = answer.json()["deployments"]
    return found

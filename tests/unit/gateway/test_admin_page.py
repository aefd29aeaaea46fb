"""The admin page asks no other host, and is gone when it is switched off."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.admin_page import (
    LATEST_RELEASE,
    SWITCHED_OFF,
    WITHOUT_DATABASE,
    AdminPage,
    reason_off,
)

if TYPE_CHECKING:
    from gateway.front import Message, Receive, Send

WAYS_IN = [
    "/ui",
    "/ui/",
    "/ui/login/",
    "/_next/static/chunks/a.js",
    "/login",
    "/v2/login",
    "/v3/login/exchange",
    "/fallback/login",
    "/sso/key/generate",
    "/onboarding/get_token",
]
REST = ["/v1/chat/completions", "/key/generate", "/uint", "/health", "/v2/model/info"]


async def behind(_scope: Message, _receive: Receive, send: Send) -> None:
    """Stands in for LiteLLM."""
    headers = [(b"content-security-policy", b"frame-ancestors 'none'")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"LiteLLM"})


def get(path: str, off: str | None = None) -> tuple[int, list[bytes], bytes]:
    """Returns status, content security policies and body of an answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "headers": []}
    asyncio.run(AdminPage(behind, off)(scope, None, send))  # type: ignore[arg-type] # not read
    policies = [value for name, value in sent[0]["headers"] if name == b"content-security-policy"]
    return sent[0]["status"], policies, sent[1]["body"]


@pytest.mark.parametrize("path", WAYS_IN)
def test_off_means_that_nobody_gets_in(path: str) -> None:
    """Switched off, the page and each way to sign in are 404, with the reason."""
    status, _, body = get(path, SWITCHED_OFF)

    assert status == 404
    assert json.loads(body)["error"]["message"] == SWITCHED_OFF


@pytest.mark.parametrize("path", REST)
def test_the_rest_stays_when_it_is_off(path: str) -> None:
    """Whatever is no part of the page is LiteLLM's as ever, with no policy of ours."""
    assert get(path, SWITCHED_OFF) == (200, [b"frame-ancestors 'none'"], b"LiteLLM")


def test_a_browser_may_load_from_the_gateway_alone() -> None:
    """The page goes out with a policy of ours beside LiteLLM's; both hold."""
    status, policies, body = get("/ui/usage/")

    assert (status, body) == (200, b"LiteLLM")
    assert policies[0] == b"frame-ancestors 'none'"
    assert policies[1].startswith(b"default-src 'self' data: blob: 'unsafe-inline';")
    assert b"http" not in policies[1]


@pytest.mark.parametrize("off", [None, SWITCHED_OFF])
def test_nobody_asks_for_the_latest_release(off: str | None) -> None:
    """LiteLLM, who would ask GitHub, is not asked; the page learns of no newer release."""
    status, _, body = get(LATEST_RELEASE, off)

    assert (status, body) == (200, b"null")


@pytest.mark.parametrize(
    ("disabled", "has_database", "reason"),
    [
        (False, True, None),
        (True, True, SWITCHED_OFF),
        (True, False, SWITCHED_OFF),
        (False, False, WITHOUT_DATABASE),
    ],
)
def test_why_it_is_off(*, disabled: bool, has_database: bool, reason: str | None) -> None:
    """It is there with a database, unless it was switched off."""
    assert reason_off(disabled=disabled, has_database=has_database) == reason

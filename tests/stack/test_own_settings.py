"""Settings of litellm_config.yaml and .env that a user turns on, seen from outside.

One stack has most of them, with LiteLLM's proxy as by default; the last test changes the
file, and starts the gateway again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import yaml

from support.own_config import own_configuration
from support.scripted import FREE, PRICED, SCRIPTED_PROVIDERS, ask
from support.stack import REPOSITORY, Stack
from support.wait import until

pytestmark = pytest.mark.long

NAME = "own-settings"
SHIPPED = yaml.safe_load((REPOSITORY / "litellm" / "litellm_config.yaml").read_text("utf-8"))
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
"""Where the engine's own networks lie, and with them this test as containers see it."""

SECONDS = 60
LITELLM_SECONDS = 300
GUESSES = 12
"""LiteLLM hears 10 wrong passwords a minute from one address."""


def configured(*, library: dict[str, Any], general: dict[str, Any]) -> dict[str, str]:
    """Return the environment of a stack with the shipped configuration and these settings."""
    sections = {"litellm_settings": library, "general_settings": general}
    merged = {name: {**(SHIPPED.get(name) or {}), **more} for name, more in sections.items()}
    return own_configuration(NAME, {**SHIPPED, **merged})


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Yield a stack with all of them."""
    environment = configured(
        library={"callbacks": ["prometheus"]},
        general={"store_prompts_in_spend_logs": True, "trusted_proxy_ranges": PRIVATE},
    )
    more = {
        "LITELLM_PROXY": "always",
        "LITELLM_LOG": "INFO",
        "OPENAI_MODEL": "of-no-price-list",
        "ALLOW_UNPRICED_MODELS": "true",
    }
    with Stack({**SCRIPTED_PROVIDERS, **environment, **more}) as running:
        running.compose("up", "--detach", "--no-build", "--wait", "gateway", "scripted-upstream")
        yield running


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    """Return a key that was made as soon as the stack was up, before LiteLLM had started."""
    made = json.loads(stack.run("key", "create", "early", "--budget", "1", "--json").stdout)
    return str(made["api_key"])


def row_of(stack: Stack, answer: requests.Response) -> dict[str, Any]:
    """Return the row of an answer, as soon as it is there."""
    assert answer.ok, answer.text

    def row() -> dict[str, Any] | None:
        rows = stack.sql(
            'SELECT * FROM "LiteLLM_SpendLogs" WHERE litellm_call_id = %s',
            answer.headers["x-litellm-call-id"],
        )
        return rows[0] if rows else None

    return until(row, seconds=SECONDS, what="the row")


def sign_in(stack: Stack, password: str, address: str) -> int:
    """Try to sign in at the admin page, from behind a proxy; return the status."""
    login = {"username": "admin", "password": password}
    headers = {"x-forwarded-for": address}
    url = f"{stack.gateway_url}/v2/login"
    return requests.post(url, json=login, headers=headers, timeout=90).status_code


def test_a_key_is_made_right_after_the_start(stack: Stack, key: str) -> None:
    """The command waits for LiteLLM, which is starting; the key is answered with the next call."""
    assert ask(stack, key, FREE).ok


def test_prompts_and_answers_are_stored_where_that_is_asked_for(stack: Stack, key: str) -> None:
    """Plain and streamed, in the columns that LiteLLM's page of logs shows."""
    for stream in (False, True):
        row = row_of(stack, ask(stack, key, FREE, stream=stream))
        assert "Hallo" in json.dumps(row["messages"]) + json.dumps(row["proxy_server_request"])
        assert row["response"]["choices"][0]["message"]["content"]


def test_an_unpriced_model_costs_nothing_and_is_marked(stack: Stack, key: str) -> None:
    """In its row and in the report; without leave such a model stops the start, in words."""
    row = row_of(stack, ask(stack, key, PRICED))
    told = json.loads(stack.run("spend", "--days", "1", "--json").stdout)["total"]
    refused = stack.run("check", check=False, ALLOW_UNPRICED_MODELS="false")

    assert row["spend"] == 0
    assert row["metadata"]["gateway"]["unpriced"] is True
    assert told["unpriced"] == 1
    assert refused.returncode != 0
    assert "OPENAI_COST_PER_1M_TOKENS" in refused.stdout + refused.stderr


def test_the_gateway_logs_each_call_at_level_info(stack: Stack, key: str) -> None:
    """LITELLM_LOG is for both: LiteLLM's own level, and the gateway's lines of access."""
    assert ask(stack, key, FREE).ok

    def told() -> bool:
        return '"POST /v1/chat/completions HTTP/1.1" 200' in stack.logs("gateway")

    until(told, seconds=SECONDS, what="the line")
    assert key not in stack.compose("logs").stdout


def test_the_pages_work_with_litellms_prometheus_callback(stack: Stack, key: str) -> None:
    """Chat stays the gateway's own; LiteLLM's metrics are on no port that is published."""
    url = f"{stack.gateway_url}/ui/"
    until(lambda: requests.get(url, timeout=90).ok, seconds=LITELLM_SECONDS, what="the page")
    page = requests.get(url, timeout=90)
    assert "<html" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "x-gateway-deployment" in ask(stack, key, FREE).headers
    master = {"Authorization": f"Bearer {stack.secret('litellm_master_key')}"}
    listed = requests.get(f"{stack.gateway_url}/key/list", headers=master, timeout=90)
    metrics = requests.get(f"{stack.gateway_url}/metrics", headers=master, timeout=90)
    assert listed.ok
    assert "litellm_" not in metrics.text


def test_a_proxy_that_is_trusted_tells_the_callers_address(stack: Stack, key: str) -> None:
    """Rows have it, and who guesses passwords shuts out that one address alone."""
    master = stack.secret("litellm_master_key")
    answer = requests.post(
        f"{stack.gateway_url}/v1/chat/completions",
        json={"model": FREE, "messages": [{"role": "user", "content": "Hallo"}]},
        headers={"Authorization": f"Bearer {key}", "x-forwarded-for": "203.0.113.7"},
        timeout=SECONDS,
    )
    guesses = [sign_in(stack, f"wrong-{number}", "203.0.113.8") for number in range(GUESSES)]

    assert row_of(stack, answer)["requester_ip_address"] == "203.0.113.7"
    assert set(guesses) == {401, 429}
    assert sign_in(stack, master, "203.0.113.8") == 429
    assert sign_in(stack, master, "203.0.113.9") == 200


def test_without_rows_costs_still_add_up(stack: Stack, key: str) -> None:
    """disable_spend_logs: no row, and the key's spend rises nevertheless.

    No proxy is trusted any more, so that nobody chooses its address.
    """
    configured(library={}, general={"disable_spend_logs": True})
    stack.environment["OPENAI_MODEL"] = "gpt-4o-mini"
    stack.compose("up", "--detach", "--no-build", "--wait", "gateway")
    rows = stack.sql('SELECT count(*) AS n FROM "LiteLLM_SpendLogs"')
    spent: Any = 'SELECT spend FROM "LiteLLM_VerificationToken" WHERE key_alias = %s'
    assert stack.sql(spent, "early")[0]["spend"] == 0

    assert ask(stack, key, PRICED).ok
    until(
        lambda: stack.sql(spent, "early")[0]["spend"] > 0, seconds=SECONDS, what="the key's spend"
    )
    assert stack.sql('SELECT count(*) AS n FROM "LiteLLM_SpendLogs"') == rows

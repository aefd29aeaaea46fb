"""Profile observability: Prometheus counts what the spend log says, and raises alarms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from support.scripted import FREE, PRICED, SCRIPTED_PROVIDERS, ask, play
from support.stack import REPOSITORY, Stack, free_port
from support.wait import until

pytestmark = pytest.mark.long

SCRAPED_SECONDS = 45
"""Two scrapes, and a machine that does other things."""

ALARM_SECONDS = 150
"""The scrapes and evaluations round the trouble, and a busy machine."""

QUICKER = {
    "prometheus.yml": {
        "scrape_interval: 15s": "scrape_interval: 7s",
        "scrape_timeout: 10s": "scrape_timeout: 7s",
        "evaluation_interval: 15s": "evaluation_interval: 2s",
        "refresh_interval: 10s": "refresh_interval: 2s",
    },
    "rules.yml": {"for: 1m": "for: 5s"},
}
"""What is changed in the files of Prometheus, so that nobody waits for its clock.

tests/unit/prometheus/test_rules.py has each alert with its own time, on a clock that is set.
"""

DEAD_FOR_OLLAMA = {"rules": [{"match": {"provider": "ollama"}, "do": {"status": 500}}]}
DEAD = {"rules": [{"do": {"status": 500}}]}
ANSWERED = 4
STREAMED = 2
FELL_BACK = 3
UNANSWERED = 2


def quicker_prometheus() -> dict[str, str]:
    """Return the environment of a stack whose Prometheus looks more often."""
    folder = REPOSITORY / "artefacts" / "prometheus"  # the engine mounts files of the checkout
    folder.mkdir(parents=True, exist_ok=True)
    mounts = []
    for name, changes in QUICKER.items():
        text = (REPOSITORY / "prometheus" / name).read_text("utf-8")
        for shipped, quick in changes.items():
            assert shipped in text
            text = text.replace(shipped, quick)
        (folder / name).write_text(text, "utf-8")
        mounts.append(f"{folder / name}:/etc/prometheus/{name}:ro")
    override = folder / "override.yml"
    override.write_text(json.dumps({"services": {"prometheus": {"volumes": mounts}}}))
    return {"COMPOSE_FILE": f"docker-compose.yml:{override}"}


@pytest.fixture(scope="module")
def observed() -> Iterator[Stack]:
    """Yield a stack as of a user who wrote the profile into .env; OpenAI is scripted."""
    port = free_port()
    environment = {
        **SCRIPTED_PROVIDERS,
        **quicker_prometheus(),
        "COMPOSE_PROFILES": "faults,observability",
        "EXTRACTION_FALLBACKS": PRICED,
        "OLLAMA_REPLICAS": "0",
        "PROMETHEUS_PORT": f"{port}",
        "NUM_RETRIES": "0",
        "PROBE_CALLS": "off",  # they are booked, too, and come when they like
    }
    with Stack(environment) as running:
        running.run("up")
        running.wait_for("prometheus", "healthy", seconds=60)
        yield running


def url(stack: Stack) -> str:
    """Return Prometheus' address."""
    return f"http://127.0.0.1:{stack.environment['PROMETHEUS_PORT']}"


def value(stack: Stack, query: str) -> float:
    """Return what a query that has one result says now.

    Raises:
        AssertionError: it has none, or several.
    """
    answer = requests.get(f"{url(stack)}/api/v1/query", params={"query": query}, timeout=30).json()
    results = answer["data"]["result"]
    assert len(results) == 1, answer
    return float(results[0]["value"][1])


@pytest.fixture(scope="module")
def asked(observed: Stack) -> Stack:
    """Return the stack after answers, streams, fallbacks and failures, all booked and scraped."""
    play(observed, {})
    key = observed.secret("backend_virtual_key")
    until(lambda: value(observed, "sum(gateway_requests_total) + 1"),
          seconds=SCRAPED_SECONDS, what="the first scrape")  # fmt: skip
    for _ in range(ANSWERED):
        assert ask(observed, key, PRICED).ok
    for _ in range(STREAMED):
        assert ask(observed, key, PRICED, stream=True).ok
    play(observed, DEAD_FOR_OLLAMA)
    for _ in range(FELL_BACK):
        assert ask(observed, key, FREE).headers["x-gateway-fallback"].startswith("true")
    play(observed, DEAD)
    for _ in range(UNANSWERED):
        assert ask(observed, key, FREE).status_code in {500, 503}
    total = ANSWERED + STREAMED + FELL_BACK + UNANSWERED
    until(lambda: value(observed, "sum(gateway_requests_total)") == total,
          seconds=SCRAPED_SECONDS, what="all requests to be counted")  # fmt: skip
    play(observed, {})
    return observed


def test_totals_are_those_of_the_spend_log(asked: Stack) -> None:
    """Answers, US dollars and tokens, by PromQL and by SQL, to the last digit that a float has."""

    def booked() -> dict[str, Any] | None:
        row = asked.sql(
            "SELECT count(*) AS answers, sum(spend) AS cost, sum(prompt_tokens) AS input,"
            ' sum(completion_tokens) AS output FROM "LiteLLM_SpendLogs"'
            " WHERE status = 'success' AND spend > 0"
        )[0]
        return row if row["answers"] == ANSWERED + STREAMED + FELL_BACK else None

    row = until(booked, seconds=30, what="every answer to be booked")

    def equal() -> bool:
        counted = {
            "answers": value(asked, 'sum(gateway_requests_total{outcome="ok"})'),
            "cost": value(asked, "sum(gateway_cost_usd_total)"),
            "input": value(asked, 'sum(gateway_tokens_total{direction="input"})'),
            "output": value(asked, 'sum(gateway_tokens_total{direction="output"})'),
        }
        assert counted == pytest.approx({name: float(row[name]) for name in counted})
        return True

    until(equal, seconds=SCRAPED_SECONDS, what="Prometheus to say what the spend log says")
    spent = asked.sql('SELECT sum(spend) AS cost FROM "LiteLLM_SpendLogs"')[0]["cost"]
    until(
        lambda: value(asked, "sum(gateway_key_spend_usd)") == pytest.approx(spent),
        seconds=SCRAPED_SECONDS,
        what="the key's spend to be that of its rows",
    )


def test_fallbacks_and_failures_are_counted(asked: Stack) -> None:
    """By the alias that was asked for; attempts by who was asked."""
    assert value(asked, f'gateway_requests_total{{alias="{FREE}", outcome="ok"}}') == FELL_BACK
    failed = f'gateway_requests_total{{alias="{FREE}", outcome="failed"}}'
    assert value(asked, failed) == UNANSWERED
    assert value(asked, f'gateway_fallbacks_total{{alias="{FREE}"}}') >= FELL_BACK
    attempts = 'sum(gateway_attempts_total{model="ollama_chat/llama3.2", outcome="failing"})'
    assert value(asked, attempts) >= 1
    assert value(asked, f'gateway_first_token_seconds_count{{alias="{PRICED}"}}') == STREAMED
    answered = f'gateway_answer_seconds_count{{alias="{PRICED}"}}'
    assert value(asked, answered) == ANSWERED + STREAMED


def test_every_measurement_that_is_looked_at_exists(asked: Stack) -> None:
    """Each name in the rules and the dashboard is one that the gateway gives."""
    files = ("rules.yml", "page/dashboard.json")
    text = "".join((REPOSITORY / "prometheus" / name).read_text() for name in files)
    looked_at = set(re.findall(r"\b(?:gateway|process)_[a-z_]+", text))
    known = requests.get(f"{url(asked)}/api/v1/metadata", timeout=30).json()["data"].keys()

    assert len(looked_at) > 15
    assert {re.sub(r"_(bucket|total)$", "", name) for name in looked_at} <= known


def test_an_unhealthy_gateway_raises_the_alarm(asked: Stack) -> None:
    """With the database gone: firing within minutes, with the reason and what to do."""
    asked.compose("stop", "postgres")

    def firing() -> dict[str, Any] | None:
        alerts = requests.get(f"{url(asked)}/api/v1/alerts", timeout=30).json()["data"]["alerts"]
        of_it = [each for each in alerts if each["labels"]["alertname"] == "GatewayUnhealthy"]
        return next((each for each in of_it if each["state"] == "firing"), None)

    try:
        alarm = until(firing, seconds=ALARM_SECONDS, what="GatewayUnhealthy to fire")
    finally:
        asked.compose("up", "--detach", "--no-build", "postgres")

    assert "the database does not answer" in alarm["annotations"]["evidence"]
    assert "./run doctor" in alarm["annotations"]["action"]
    assert value(asked, "gateway_database_up") == 0


def test_status_lists_prometheus_with_the_page(observed: Stack) -> None:
    """They are listed with the stack's services, for people and scripts; the page answers."""
    lines = {line.split()[0]: line for line in observed.run("status").stdout.splitlines() if line}
    services = json.loads(observed.run("status", "--json").stdout)["services"]
    page = f"{url(observed)}/user/"

    assert page in lines["prometheus"]
    assert "healthy" in lines["prometheus"]
    assert next(each for each in services if each["service"] == "prometheus")["url"] == page
    assert "<title>LiteLLM gateway</title>" in requests.get(page, timeout=30).text


def test_metrics_are_not_on_the_published_port(observed: Stack) -> None:
    """The gateway's own port serves no metrics, with a key or without."""
    key = observed.secret("litellm_master_key")
    for headers in ({}, {"Authorization": f"Bearer {key}"}):
        answer = requests.get(f"{observed.gateway_url}/metrics", headers=headers, timeout=30)
        assert "gateway_" not in answer.text


def test_no_page_of_another_origin_reads_the_measurements(observed: Stack) -> None:
    """Prometheus lets any web page read them unless told otherwise."""
    query = f"{url(observed)}/api/v1/query?query=up"

    answer = requests.get(query, headers={"Origin": "https://evil.example"}, timeout=30)

    assert "access-control-allow-origin" not in answer.headers

"""The dashboard that Prometheus serves: every panel from real measurements, for everybody."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect

from support.accessibility import violations
from support.chromium import DESKTOP, SCREENS, Screen
from support.scripted import PRICED, ask, play
from support.stack import REPOSITORY, Stack
from support.wait import until

DASHBOARD = "http://prometheus:9090/user/"
PANELS = [
    panel["title"]
    for panel in json.loads((REPOSITORY / "prometheus/page/dashboard.json").read_text())["panels"]
]
QUIET = {"Fallbacks", "Attempts that failed"}
"""Panels that are empty on a good day, and say so."""

REFRESHED = 40_000
"""Milliseconds in which the page asks again at least twice."""

SCRAPED_SECONDS = 60
ALARM = {
    "state": "firing",
    "activeAt": "2026-01-02T03:04:05Z",
    "labels": {"alertname": "GatewayUnhealthy", "severity": "critical"},
    "annotations": {
        "summary": "the gateway cannot do its work",
        "evidence": "<b>no model is loaded</b>",
        "action": "./run doctor",
    },
}


@pytest.fixture(scope="module")
def measured(stack: Stack) -> Stack:
    """Return the stack after some answers, plain and streamed, that Prometheus has seen come."""
    port = stack.environment["PROMETHEUS_PORT"]

    def counted() -> float:
        answer = requests.get(
            f"http://127.0.0.1:{port}/api/v1/query",
            params={"query": f'sum(rate(gateway_requests_total{{alias="{PRICED}"}}[1m]))'},
            timeout=30,
        ).json()
        return sum(float(each["value"][1]) for each in answer["data"]["result"])

    play(stack, {})
    key = stack.secret("backend_virtual_key")

    def rising() -> bool:
        assert ask(stack, key).ok
        assert ask(stack, key, stream=True).ok
        return counted() > 0

    until(rising, seconds=SCRAPED_SECONDS, what="Prometheus to see the requests come")
    return stack


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_every_panel_has_measurements(
    measured: Stack, open_page: Callable[[Screen], Page], screen: Screen, pictures: Path
) -> None:
    """Those of Grafana's file, in its order; WCAG 2.2 AA holds, and it fits the screen."""
    del measured
    page = open_page(screen)
    page.goto(DASHBOARD)
    page.get_by_text("15 min", exact=True).click()
    panels = page.locator(".panel")

    assert panels.evaluate_all("all => all.map(each => each.dataset.panel)") == PANELS
    for title in PANELS:
        panel = page.locator(f'[data-panel="{title}"]')
        content = panel.locator(".value, .legend li, .rows li")
        wanted = panel.locator(".empty") if title in QUIET else content
        expect(wanted).not_to_have_count(0, timeout=REFRESHED)
    assert "NaN" not in page.inner_text("main")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= screen.width
    page.screenshot(path=pictures / f"{screen.name}-dashboard.png", full_page=True)


def test_the_time_is_chosen_by_keyboard(
    measured: Stack, open_page: Callable[[Screen], Page]
) -> None:
    """The arrow keys go through the times, and each is asked for at once."""
    del measured
    page = open_page(DESKTOP)
    page.goto(DASHBOARD)
    page.locator("#ranges input:checked").focus()

    with page.expect_request(lambda request: "query_range" in request.url) as asked:
        page.keyboard.press("ArrowRight")

    expect(page.get_by_label("6 hours")).to_be_checked()
    assert "step=180" in asked.value.url


def test_an_alarm_says_what_was_seen_and_what_to_do(
    measured: Stack, open_page: Callable[[Screen], Page], pictures: Path
) -> None:
    """Before all panels; its words stay text, whatever a provider put into them."""
    del measured
    page = open_page(DESKTOP)
    page.route(
        "**/api/v1/alerts?*",
        lambda route: route.fulfill(json={"status": "success", "data": {"alerts": [ALARM]}}),
    )
    page.goto(DASHBOARD)

    alarm = page.locator(".alarm")
    expect(alarm).to_contain_text("critical: the gateway cannot do its work")
    expect(alarm).to_contain_text("<b>no model is loaded</b>; since 2 Jan 2026")
    expect(alarm).to_contain_text("What to do: ./run doctor")
    assert alarm.locator("b").count() == 0
    assert violations(page) == []
    page.screenshot(path=pictures / "desktop-light-dashboard-alarm.png")


def test_a_prometheus_that_is_gone_is_reported(
    measured: Stack, open_page: Callable[[Screen], Page]
) -> None:
    """The page says so and keeps what it has."""
    del measured
    page = open_page(DESKTOP)
    page.goto(DASHBOARD)
    expect(page.locator('[data-panel="Requests"] .value')).not_to_have_count(0)
    page.route("**/api/v1/**", lambda route: route.abort())

    page.get_by_text("day", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("Prometheus does not answer")
    expect(page.locator('[data-panel="Requests"] .value')).not_to_have_count(0)

"""One stack and one browser for all tests here; each test opens a page of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from support.chromium import BACKEND, DESKTOP, Screen, chromium_on
from support.scripted import SCRIPTED_PROVIDERS
from support.stack import REPOSITORY, Stack, free_port

PATIENCE = 15_000
"""Milliseconds for what asks no model; on a machine that does many other things."""


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Yield a running stack: Ollama with its real model, a scripted OpenAI, and Prometheus."""
    local = {name: SCRIPTED_PROVIDERS[name] for name in SCRIPTED_PROVIDERS if "OLLAMA" not in name}
    observed = {"COMPOSE_PROFILES": "faults,observability", "PROMETHEUS_PORT": f"{free_port()}"}
    pages = {"LITELLM_PROXY": "always"}  # a browser waits for them
    with Stack(local | observed | pages) as running:
        running.run("up")
        yield running


@pytest.fixture(scope="session")
def browser(stack: Stack) -> Iterator[Browser]:
    """Yield Chromium on the stack's network."""
    with chromium_on(stack) as running:
        yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[[Screen], Page]]:
    """Yield a function that opens an empty page; whatever the page complains of fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def note(kind: str, text: str) -> None:
        # A request that failed is told in the console too; tests make some fail.
        if kind in {"error", "warning"} and not text.startswith("Failed to load resource"):
            complaints.append(text)

    def opened(screen: Screen = DESKTOP) -> Page:
        context = browser.new_context(
            viewport={"width": screen.width, "height": screen.height},
            color_scheme="dark" if screen.dark else "light",
            reduced_motion="reduce",  # nothing blinks in a screenshot
            device_scale_factor=2,
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: note(message.type, message.text))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: Callable[[], Page]) -> Page:
    """Return the backend's page on a desktop screen, in light."""
    opened = open_page()
    opened.goto(BACKEND)
    return opened


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Return the folder for screenshots."""
    folder = REPOSITORY / "artefacts" / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

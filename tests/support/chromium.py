"""Debian's Chromium, driven from outside the network in which it runs.

It gets a container of its own on the stack's network, and sees the services under their names.
Beside the engine it would see each network interface that another test's container brings, and
drop its connections every time (ERR_NETWORK_CHANGED).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Error, sync_playwright

from support.stack import Stack
from support.wait import until

IMAGE = f"litellm-proxy-service/tests:{os.environ.get('STACK_VERSION') or '0.1.0'}"
PORT = 3000
SERVER = {
    "executablePath": "/usr/bin/chromium",
    "host": "0.0.0.0",
    "port": PORT,
    "wsPath": "chromium",
}
START = (
    'printf %s "$0" >/tmp/server.json'
    " && exec playwright launch-server --browser chromium --config /tmp/server.json"
)
START_SECONDS = 60

BACKEND = "http://backend-stub:8000"
"""The page's address for a browser on the stack's own network."""

GATEWAY = "http://gateway:4000"
"""The gateway's, for the same browser."""


@dataclass(frozen=True)
class Screen:
    """A size of screen and a theme."""

    name: str
    width: int
    height: int
    dark: bool


DESKTOP = Screen("desktop-light", 1280, 900, dark=False)
SCREENS = [
    DESKTOP,
    Screen("desktop-dark", 1280, 900, dark=True),
    Screen("phone-light", 390, 844, dark=False),
    Screen("phone-dark", 390, 844, dark=True),
]


@contextmanager
def chromium_on(stack: Stack) -> Iterator[Browser]:
    """Yield a browser on a running stack's network; it is gone afterwards."""
    name = f"{stack.project}-chromium"
    stack.command(
        *("docker", "run", "--detach", "--rm", "--init", "--name", name),
        *("--network", f"{stack.project}_default", IMAGE, "sh", "-c", START, json.dumps(SERVER)),
    )
    try:
        address = stack.command(
            *("docker", "inspect", "--format"),
            *("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name),
        ).stdout.strip()
        with sync_playwright() as playwright:

            def connect() -> Browser:
                try:
                    return playwright.chromium.connect(f"ws://{address}:{PORT}/chromium")
                except Error as error:  # not there yet
                    raise ConnectionError(str(error)) from error

            browser = until(connect, seconds=START_SECONDS, what="Chromium to take connections")
            yield browser
            browser.close()
    finally:
        stack.command("docker", "rm", "--force", name, check=False)

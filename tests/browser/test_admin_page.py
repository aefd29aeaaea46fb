"""LiteLLM's admin page in Chromium: it works offline, and nobody guesses the way in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page, Request, expect

from support.chromium import DESKTOP, GATEWAY
from support.scripted import PRICED, ask
from support.stack import Stack
from support.wait import until

KEY = "painter"
PATIENCE = 30_000
"""Milliseconds: LiteLLM's page is 3 MB of scripts."""

LONG = "Hallo " * 70_000
"""A cent's worth of a text, which shows where a page has two decimals."""

START_SECONDS = 300
"""LiteLLM's start takes 12 s of processor time, and far longer while other tests run."""

GUESSES = 6
"""LiteLLM hears 5 wrong passwords a minute for one name, then none for 5 minutes."""


@pytest.fixture(scope="module")
def foreign() -> list[str]:
    """Return the list to which each request that leaves the browser for another host is added."""
    return []


@pytest.fixture(scope="module")
def admin(browser: Browser, stack: Stack, foreign: list[str], pictures: Path) -> Iterator[Page]:
    """Yield the admin page, signed in with the admin key as README says."""

    def note(request: Request) -> None:
        address = urlsplit(request.url)
        leaves = address.scheme.startswith("http") and request.failure != "csp"
        if leaves and address.netloc != urlsplit(GATEWAY).netloc:
            foreign.append(request.url)

    context = browser.new_context(
        viewport={"width": DESKTOP.width, "height": DESKTOP.height}, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE)
    # LiteLLM starts together with the gateway, at low priority.
    until(
        lambda: requests.get(f"{stack.gateway_url}/ui/", timeout=90).ok,
        seconds=START_SECONDS,
        what="LiteLLM's page to be there",
    )
    page = context.new_page()
    page.on("requestfinished", note)
    page.on("requestfailed", note)
    page.goto(f"{GATEWAY}/ui/")
    page.get_by_label("Username").fill("admin")
    page.screenshot(path=pictures / "admin-login.png")
    page.get_by_label("Password", exact=True).fill(stack.secret("litellm_master_key"))
    page.get_by_role("button", name="Login", exact=True).click()
    signed_in = page.get_by_role("button", name=re.compile("signed in as"))
    expect(signed_in).to_be_visible(timeout=PATIENCE)
    yield page
    context.close()


@pytest.fixture(scope="module")
def secret(admin: Page, pictures: Path) -> str:
    """Return the secret of a key that is made in the page."""
    go(admin, "api-keys")
    expect(admin.get_by_role("row").filter(has_text="backend-stub")).to_be_visible(timeout=PATIENCE)
    admin.get_by_role("button", name="Create New Key").click()
    form = admin.get_by_role("dialog", name="Create New Key")
    form.get_by_label("Key Name").fill(KEY)
    form.get_by_role("button", name="Create Key").click()
    shown = admin.get_by_role("dialog", name="Save your Key")
    secret = shown.get_by_text(re.compile("^sk-")).inner_text(timeout=PATIENCE)
    admin.screenshot(path=pictures / "admin-key-made.png")
    return secret


@pytest.fixture(scope="module")
def spent(secret: str, stack: Stack) -> float:
    """Return what the key has spent, in USD, once that is in the database."""
    answer = ask(stack, secret, PRICED, messages=[{"role": "user", "content": LONG}])
    assert answer.ok, answer.text

    def told() -> float:
        keys = json.loads(stack.run("key", "list", "--json").stdout)
        return next(float(each["spent_usd"]) for each in keys if each["name"] == KEY)

    return until(told, seconds=30, what="the cost to be in the database")


def go(page: Page, name: str) -> None:
    """Open one of the admin page's own pages."""
    page.goto(f"{GATEWAY}/ui/{name}/")


def test_a_key_made_in_the_page_works_and_its_spend_shows(
    admin: Page, spent: float, pictures: Path
) -> None:
    """It answers a chat, `./run key list` has it with its cost, and so has the page of keys."""
    assert spent > 0.01
    go(admin, "api-keys")
    row = admin.get_by_role("row").filter(has_text=KEY)
    expect(row).to_contain_text(f"${spent:.4f}", timeout=PATIENCE)
    admin.screenshot(path=pictures / "admin-keys.png")


def test_usage_is_what_the_database_has(
    admin: Page, spent: float, stack: Stack, pictures: Path
) -> None:
    """The page of usage shows the spend and requests that LiteLLM_SpendLogs adds up to."""
    (total,) = stack.sql('SELECT sum(spend) AS spend, count(*) AS calls FROM "LiteLLM_SpendLogs"')
    assert total["spend"] >= spent

    overview = admin.get_by_role("tabpanel", name="Overview")
    calls = overview.get_by_text("Total Requests", exact=True).locator("..")

    def shown() -> bool:
        go(admin, "usage")  # again: what the page shows is of the moment in which it was opened
        expect(calls).to_contain_text(f"{total['calls']}", timeout=10_000)
        return True

    until(shown, seconds=60, what="the page to show the requests")
    cost = overview.get_by_text("Spend", exact=True).first.locator("..")
    expect(cost).to_contain_text(f"${total['spend']:.2f}")
    keys = overview.get_by_role("row").filter(has_text=KEY)
    expect(keys).to_contain_text(f"${spent:.2f}")
    admin.screenshot(path=pictures / "admin-usage.png", full_page=True)


def test_each_request_is_in_the_logs(
    admin: Page, spent: float, stack: Stack, pictures: Path
) -> None:
    """The page of logs has the request with its key and what it cost."""
    (row,) = stack.sql(
        'SELECT request_id FROM "LiteLLM_SpendLogs" WHERE metadata->>%s = %s',
        "user_api_key_alias",
        KEY,
    )

    go(admin, "logs")

    shown = admin.get_by_role("row").filter(has_text=KEY)
    expect(shown).to_contain_text(row["request_id"], timeout=PATIENCE)
    expect(shown).to_contain_text(f"${spent:.6f}")
    admin.screenshot(path=pictures / "admin-logs.png")


def test_the_models_are_those_of_the_file(admin: Page, stack: Stack, pictures: Path) -> None:
    """The page of models lists every alias that the gateway serves."""
    listed = requests.get(
        f"{stack.gateway_url}/v1/models",
        headers={"Authorization": f"Bearer {stack.secret('litellm_master_key')}"},
        timeout=10,
    ).json()["data"]

    go(admin, "models-and-endpoints")

    for each in listed:
        expect(admin.get_by_text(each["id"], exact=True)).to_be_visible(timeout=PATIENCE)
    admin.screenshot(path=pictures / "admin-models.png")


def test_no_other_host_is_asked(admin: Page, spent: float, foreign: list[str]) -> None:
    """Everything above came from the gateway; the one picture that is GitHub's is kept back."""
    del spent  # the pages were opened
    with admin.expect_event("requestfailed", lambda request: "github" in request.url) as kept_back:
        go(admin, "moyai")
    assert kept_back.value.failure == "csp"
    assert foreign == []


def test_no_password_is_guessed(stack: Stack) -> None:
    """There is no default password, and who tries is soon refused without being heard."""
    guesses = ["admin", "sk-1234", "", *map(str, range(GUESSES))]

    def sign_in(password: str) -> int:
        login = {"username": "admin", "password": password}
        return requests.post(f"{stack.gateway_url}/v2/login", json=login, timeout=10).status_code

    answers = [sign_in(guess) for guess in guesses]

    assert answers[:3] == [401, 401, 401]
    assert set(answers) == {401, 429}
    assert sign_in(stack.secret("litellm_master_key")) == 429


def test_switched_off_it_is_gone(stack: Stack) -> None:
    """A gateway with DISABLE_ADMIN_UI has no page and no way to sign in, and serves all else."""
    name = f"{stack.project}-without-admin-page"
    stack.compose(
        "run", "--detach", "--no-deps", "--name", name, "gateway", DISABLE_ADMIN_UI="true"
    )
    try:
        address = stack.command(
            *("docker", "inspect", "--format"),
            f'{{{{(index .NetworkSettings.Networks "{stack.project}_default").IPAddress}}}}',
            name,
        ).stdout.strip()
        url = f"http://{address}:4000"
        until(
            lambda: requests.get(f"{url}/health", timeout=10).ok,
            seconds=START_SECONDS,
            what="the gateway to be healthy",
        )
        key = stack.secret("litellm_master_key")
        login = requests.post(
            f"{url}/v2/login", json={"username": "admin", "password": key}, timeout=10
        )
        page = requests.get(f"{url}/ui/", timeout=10)
        models = requests.get(
            f"{url}/v1/models", headers={"Authorization": f"Bearer {key}"}, timeout=10
        )
    finally:
        stack.command("docker", "rm", "--force", name, check=False)

    assert (login.status_code, page.status_code, models.status_code) == (404, 404, 200)
    assert "DISABLE_ADMIN_UI" in page.json()["error"]["message"]

"""The backend's page in Chromium, with a real model behind it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import requests
from playwright.sync_api import Locator, Page, Route, expect

from support import page_answers
from support.scripted import play
from support.stack import Stack
from support.wait import until

MODEL_SECONDS = 180
"""For an answer of a real model on a machine that does many other things."""

SCRIPTED = "extraction-model-openai"
PRICED = "openai/gpt-4o-mini"


def extract(page: Page, text: str = "Der Hund schläft im Garten, weil er müde ist.") -> Locator:
    """Extract a text's items and return their cards."""
    page.get_by_label("German text").fill(text)
    page.get_by_role("button", name="Extract").click()
    cards = page.get_by_role("list", name="Items").get_by_role("button")
    expect(cards).not_to_have_count(0, timeout=MODEL_SECONDS * 1000)
    return cards


def latest(page: Page) -> Locator:
    """Return the panel about the latest answer."""
    return page.get_by_role("region", name="Latest answer")


def ended(stack: Stack) -> set[str]:
    """Return the ids of the last explanations that are over, however they ended."""
    answer = requests.get(f"{stack.backend_url}/requests", timeout=10).json()["requests"]
    return {each["request_id"] for each in answer if each["path"] == "/explain"}


def test_a_real_model_answers(page: Page, stack: Stack, pictures: Path) -> None:
    """A text becomes items, with model, reason, tokens, cost and time; no other host is asked.

    A name of another provider explains one, piece by piece, and its cost is shown.
    """
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).netloc))
    page.reload()
    expect(page.get_by_text("gateway healthy")).to_be_visible(timeout=60_000)

    cards = extract(page)

    expect(page.get_by_role("status").filter(has_text="item")).to_be_visible()
    panel = latest(page)
    expect(panel).to_contain_text("ollama_chat/")
    expect(panel).to_contain_text("extraction-model was asked for, and answered at once.")
    expect(panel).to_contain_text("$0")
    last = page.get_by_role("list", name="Last requests").get_by_role("listitem")
    expect(last.first).to_contain_text("/extract")
    expect(last.first).to_contain_text("ollama_chat/")

    play(stack, {"rules": [{"match": {"stream": True}, "do": {"ms_per_token": 50}}]})
    choose = page.get_by_label("Explain with")
    choose.select_option(SCRIPTED)
    expect(page.locator("#explanation-serves")).to_have_text(PRICED)
    page.evaluate(
        """() => {
          window.lengths = new Set();
          const note = () => {
            const text = document.querySelector(".explanation .text");
            if (text?.textContent) window.lengths.add(text.textContent.length);
          };
          new MutationObserver(note).observe(document.querySelector("#items"),
            { childList: true, subtree: true, characterData: true });
        }"""
    )
    cards.first.click()
    explanation = page.locator(".explanation").first
    expect(explanation).to_have_attribute("aria-busy", "false", timeout=60_000)
    assert page.evaluate("window.lengths.size") > 2, "the text did not grow piece by piece"
    expect(explanation).to_contain_text(PRICED)
    expect(panel).to_contain_text(f"{SCRIPTED} was asked for, and answered at once.")
    expect(panel.get_by_text("$0.0000")).to_be_visible()
    expect(last.first).to_contain_text("/explain")
    page.screenshot(path=pictures / "real-model.png", full_page=True)
    assert set(asked) == {"backend-stub:8000"}


def test_each_name_is_listed_with_its_provider(page: Page) -> None:
    """The gateway's names are offered, grouped by who serves them; one is the default."""
    choice = page.get_by_label("Extract with")

    expect(choice.locator("optgroup[label='openai'] option")).to_contain_text([SCRIPTED])
    expect(choice.locator("optgroup[label='ollama_chat'] option").first).to_have_text(
        "extraction-model"
    )
    expect(choice).to_have_value("extraction-model")
    expect(page.get_by_label("Explain with")).to_have_value("explanation-model")


def test_a_refusal_tells_who_was_asked(page: Page, stack: Stack) -> None:
    """A request that a provider refuses shows the code, the attempt and the request's id."""
    play(
        stack,
        {"rules": [{"match": {"provider": "openai"}, "do": {"error": "content_policy"}}]},
    )
    page.get_by_label("Extract with").select_option(SCRIPTED)
    page.get_by_role("button", name="Extract").click()

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("content_refused")
    expect(alert).to_contain_text("request id")
    expect(latest(page)).to_contain_text("No deployment answered, in 1 attempt.")
    first = page.get_by_role("list", name="Last requests").get_by_role("listitem").first
    expect(first).to_contain_text("400 content_refused")


def test_closing_a_card_ends_the_call(page: Page, stack: Stack) -> None:
    """Who closes an explanation that is still being written pays no further for it."""
    play(
        stack,
        {
            "rules": [
                {
                    "match": {"stream": True},
                    "do": {"stall_after": {"pieces": 2, "seconds": 120}},
                }
            ]
        },
    )
    before = ended(stack)
    page.route("**/extract", lambda route: route.fulfill(json=page_answers.EXTRACTED))
    page.get_by_label("Explain with").select_option(SCRIPTED)
    card = extract(page).first
    card.click()
    expect(page.locator(".explanation .text").first).not_to_be_empty()

    card.click()

    expect(card).to_have_attribute("aria-expanded", "false")
    until(
        lambda: ended(stack) - before,
        seconds=20,
        what="the call to be over, long before the provider's pause is",
    )


def test_an_extraction_can_be_stopped(page: Page) -> None:
    """The button that starts an extraction stops it, and keeps the focus."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/extract", hold)
    button = page.locator("#extract")

    button.press("Enter")
    expect(button).to_have_text("Stop")
    button.press("Enter")

    expect(button).to_have_text("Extract")
    expect(page.get_by_text("stopped")).to_be_visible()
    expect(button).to_be_focused()
    assert len(held) == 1


def test_a_missing_backend_is_reported(page: Page) -> None:
    """When the backend is gone, the page says so and keeps the text."""
    expect(page.get_by_label("Extract with")).to_have_value("extraction-model")
    page.route("**/extract", lambda route: route.abort())

    page.get_by_label("German text").fill("Guten Tag")
    page.get_by_role("button", name="Extract").click()

    expect(page.get_by_role("alert")).to_contain_text("backend_unreachable")
    expect(page.get_by_label("German text")).to_have_value("Guten Tag")


def test_what_a_model_writes_stays_text(page: Page) -> None:
    """Markup in an answer is shown as it is, and makes no element."""
    markup = "<img src=x onerror=alert(1)><b>der Hund</b>"
    item = {"type": "vocabulary", "text": markup, "translation": markup}
    page.route(
        "**/extract",
        lambda route: route.fulfill(json={**page_answers.EXTRACTED, "items": [item]}),
    )

    card = extract(page).first

    expect(card.locator(".german")).to_have_text(markup)
    expect(card.locator(".translation")).to_have_text(markup)
    assert page.locator("main img, main b").count() == 0

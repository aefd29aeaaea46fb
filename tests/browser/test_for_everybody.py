"""The page without a mouse, on a phone, in the dark, and for a screen reader.

The answers are a good model's, played to the page, so that each test sees every part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support import page_answers
from support.accessibility import violations
from support.chromium import BACKEND, SCREENS, Screen

FOCUSED = """() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  return {
    name: at.id || at.textContent.trim().slice(0, 40),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    visible: box.width > 0 && box.right > 0 && box.bottom > 0 && box.top < innerHeight,
  };
}"""
CONTROLS = """() => [...document.querySelectorAll("a, button, select, textarea")]
  .map((each) => each.id || each.textContent.trim().slice(0, 40))"""


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_accessible(open_page: Callable[[Screen], Page], screen: Screen, pictures: Path) -> None:
    """Each state of the page holds WCAG 2.2 AA and fits the screen; each is kept as a picture."""
    page = open_page(screen)

    def check(state: str) -> None:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= screen.width
        page.screenshot(path=pictures / f"{screen.name}-{state}.png", full_page=True)

    page.goto(BACKEND)
    expect(page.get_by_label("Extract with")).to_have_value("extraction-model", timeout=60_000)
    check("start")

    page_answers.play(page)
    page.get_by_label("German text").fill(page_answers.TEXT)
    page.get_by_role("button", name="Extract").click()
    cards = page.get_by_role("list", name="Items").get_by_role("button")
    expect(cards).to_have_count(len(page_answers.ITEMS))
    expect(page.get_by_text("the gateway fell back to")).to_be_visible()
    check("items")

    cards.nth(3).click()
    expect(page.locator(".explanation").nth(3)).to_have_attribute("aria-busy", "false")
    check("explanation")

    page_answers.refuse(page)
    page.get_by_role("button", name="Extract").click()
    expect(page.get_by_role("alert")).to_contain_text("retry after 20 s")
    check("refused")


def test_everything_is_reached_by_keyboard(open_page: Callable[[], Page]) -> None:
    """Tab goes through every control in reading order, and each shows that it has the focus."""
    page = open_page()
    page_answers.play(page)
    page.goto(BACKEND)
    page.evaluate("document.querySelector('#composer').requestSubmit()")  # the focus stays nowhere
    expect(page.locator(".card button")).to_have_count(len(page_answers.ITEMS))
    expected = page.evaluate(CONTROLS)
    met = []
    for _ in expected:
        page.keyboard.press("Tab")
        met.append(page.evaluate(FOCUSED))

    assert [each["name"] for each in met] == expected
    assert [each for each in met if not (each["outlined"] and each["visible"])] == []


def test_used_by_keyboard_alone(open_page: Callable[[], Page]) -> None:
    """A text is typed, a model chosen, items extracted, one explained and closed; no mouse."""
    page = open_page()
    page_answers.play(page)
    page.goto(BACKEND)
    extraction = page.get_by_label("Extract with")
    expect(extraction).to_have_value("extraction-model", timeout=60_000)
    press = page.keyboard.press

    press("Tab")
    press("Enter")
    expect(page.get_by_label("German text")).to_be_focused()
    press("Control+a")
    page.keyboard.type("Guten Morgen")
    expect(page.get_by_text("12 of 4,000 characters")).to_be_visible()
    press("Tab")
    expect(extraction).to_be_focused()
    page.keyboard.type("extraction-model-o")
    expect(extraction).to_have_value("extraction-model-openai")
    press("Tab")
    press("Tab")
    with page.expect_request("**/extract") as asked:
        press("Enter")
    assert asked.value.post_data_json == {
        "text": "Guten Morgen",
        "model": "extraction-model-openai",
    }
    expect(page.get_by_role("status").filter(has_text="7 items")).to_be_visible()
    press("Tab")
    card = page.locator(".card button").first
    expect(card).to_be_focused()
    press("Space")
    expect(card).to_have_attribute("aria-expanded", "true")
    expect(page.locator(".explanation").first).to_contain_text("running late")
    expect(page.get_by_role("status").filter(has_text="is explained")).to_be_visible()
    press("Enter")
    expect(card).to_have_attribute("aria-expanded", "false")
    expect(page.locator(".explanation").first).to_be_hidden()

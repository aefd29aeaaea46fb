"""Answers of a good model, for what a tiny one cannot show: played to the page in the browser."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page

TEXT = (
    "Gestern hat meine Nachbarin angerufen, weil sie sich ausgesperrt hatte. Ich habe ihr "
    "geholfen, obwohl ich schon spät dran war. Zum Glück warteten die anderen auf mich."
)
ITEMS = [
    ("vocabulary", "die Nachbarin", "the neighbour (female)"),
    ("vocabulary", "anrufen", "to call, to phone"),
    ("phrase", "sich aussperren", "to lock oneself out"),
    ("phrase", "spät dran sein", "to be running late"),
    ("phrase", "zum Glück", "luckily, fortunately"),
    ("pattern", "weil + Verb am Ende", "because: the verb goes to the end of the clause"),
    ("pattern", "warten auf + Akkusativ", "to wait for somebody or something"),
]
EXPLANATION = (
    "“Spät dran sein” means to be running late: less time is left than one needs. “Dran” is short "
    "for “daran” and stays as it is; “sein” takes the endings (ich bin, du bist, wir waren spät "
    "dran).\n\nTut mir leid, ich bin spät dran. = Sorry, I am running late.\nDer Zug war zehn "
    "Minuten spät dran. = The train was ten minutes late.\n\nHere it gives the helper a reason not "
    "to stay: “obwohl” sends “war” to the end of its clause."
)
FELL_BACK = {
    "alias": "extraction-model-openai",
    "model": "openai/gpt-4o-mini",
    "deployment": "3f05eddb560d58d80d19a8a2ebdb69a3c3cefc87185b87c7f83816a82a1d1de9",
    "attempts": 3,
    "fallback_from": "extraction-model",
    "outcomes": ["unresponsive", "unreachable", "answered"],
}
EXTRACTED = {
    "items": [dict(zip(("type", "text", "translation"), item, strict=True)) for item in ITEMS],
    "model": "openai/gpt-4o-mini",
    "usage": {"prompt_tokens": 468, "completion_tokens": 187, "cost_usd": 0.0001824},
    "request_id": "7a1c0b52-51d6-4c43-9a43-4b3c2f0e7d10",
    "route": FELL_BACK,
}
EXPLAINED = {
    "truncated": False,
    "model": "openai/gpt-4o-mini",
    "usage": {"prompt_tokens": 171, "completion_tokens": 133, "cost_usd": 0.00010545},
    "request_id": "e2f7d9a4-3c1b-4f0e-8a55-0d6c9b7e4f21",
    "route": {**FELL_BACK, "attempts": 1, "fallback_from": None, "outcomes": ["answered"]},
}
REFUSED = {
    "error": {
        "code": "rate_limited",
        "message": "the gateway or its provider accepts no more requests now: wait 20 s",
        "request_id": "0f4d5c6b-1a2e-4d3c-9b8a-7f6e5d4c3b2a",
        "route": {
            "alias": "extraction-model-openai",
            "attempts": 2,
            "fallback_from": "extraction-model",
            "outcomes": ["failing", "limited"],
        },
    }
}


def play(page: Page) -> None:
    """Answer the page's requests to models with these, in place of the backend."""
    pieces = EXPLANATION.split(" ")
    events = [_event("delta", {"text": piece + " "}) for piece in pieces]
    stream = "".join([*events, _event("done", EXPLAINED)])
    page.route("**/extract", lambda route: route.fulfill(json=EXTRACTED))
    page.route(
        "**/explain", lambda route: route.fulfill(body=stream, content_type="text/event-stream")
    )


def refuse(page: Page) -> None:
    """Answer the page's extractions with an error."""
    page.route(
        "**/extract",
        lambda route: route.fulfill(status=429, json=REFUSED, headers={"retry-after": "20"}),
    )


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"

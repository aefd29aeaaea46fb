"""What two outcomes have in common, and what they have not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from support.same_answers.asking import Outcome

Json = dict[str, Any]
DECIMALS = 10
NOT_COMPARED = frozenset({"id", "created", "text_tokens"})
"""Of an answer: each side is asked at its own time, and by its own number. The tokens of text are
LiteLLM's subtraction: those of the answer without those of its reasoning."""

EMPTY: tuple[Any, ...] = ("", {}, [])
"""Left out by one side, and written down by the other."""


def differences(ours: Outcome, theirs: Outcome) -> list[str]:
    """Return what differs, a line each."""
    found = [*unequal("", ours.status, theirs.status, "status")]
    if ours.status != theirs.status:
        return [*found, f"ours: {ours.document}", f"theirs: {theirs.document}"]
    if ours.status != 200:
        return list(unequal("error", error_form(ours.document), error_form(theirs.document)))
    found += unequal("answer", comparable(ours.document), comparable(theirs.document))
    found += unequal("broke", ours.broke, theirs.broke)
    found += unequal("done", ours.is_done, theirs.is_done)
    found += unequal("row", books(ours), books(theirs))
    if ours.asked and ours.asked[0]["path"].endswith("/completions") and not _is_at_router(ours):
        found += unequal("asked", as_sent(ours), as_sent(theirs))
    return found


def error_form(document: Any) -> Any:
    """Return an error without its words."""
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return document
    return {name: error.get(name) for name in ("type", "param", "code")} | {
        "more": sorted(error.keys() - {"type", "param", "code", "message"})
    }


def comparable(value: Any) -> Any:
    """Return an answer without what cannot be equal, and without what is null."""
    if isinstance(value, dict):
        found = {
            name: comparable(each) for name, each in value.items() if name not in NOT_COMPARED
        } | ({"id": "…"} if "function" in value and value.get("id") else {})
        said = {name: each for name, each in found.items() if not _says_nothing(name, each)}
        return said if said.keys() != {"role"} else {}  # of a message that never came
    if isinstance(value, float):
        return round(value, DECIMALS)
    return [comparable(each) for each in value] if isinstance(value, list) else value


def _says_nothing(name: str, value: Any) -> bool:
    """Return whether it may as well be left out: null, empty, or a count of no tokens."""
    return value is None or value in EMPTY or (name.endswith("_tokens") and value == 0)


def _is_at_router(outcome: Outcome) -> bool:
    """Return whether it is Hugging Face's, which the gateway asks by OpenAI's protocol."""
    return bool(outcome.asked[0]["body"].get("model", "").startswith("meta-llama/"))


def as_sent(outcome: Outcome) -> list[Json]:
    """Return what was sent to a provider, without what changes nothing there.

    Both sides ask for a stream's usage where they want it for themselves, LiteLLM writes
    `stream: false` down, tells Hugging Face of its own retries, and takes one text out of a list.
    """
    found = []
    for each in outcome.asked:
        body = {
            name: value
            for name, value in each["body"].items()
            if name not in ("max_retries", "stream_options") and (name, value) != ("stream", False)
        }
        prompt = body.get("prompt")
        if isinstance(prompt, list) and len(prompt) == 1:
            body["prompt"] = prompt[0]
        found.append({"path": each["path"], "body": body})
    return found


def books(outcome: Outcome) -> list[Json]:
    """Return the costs and tokens of the rows."""
    return [
        {
            "spend": round(row.get("spend") or 0.0, DECIMALS),
            **{
                name: row.get(name) or 0
                for name in ("prompt_tokens", "completion_tokens", "total_tokens")
            },
        }
        for row in outcome.rows
    ]


def unequal(path: str, ours: Any, theirs: Any, name: str = "") -> Iterator[str]:
    """Yield what differs between two values."""
    at = f"{path}.{name}".strip(".")
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for each in sorted(ours.keys() | theirs.keys()):
            yield from unequal(at, ours.get(each), theirs.get(each), each)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from unequal(at, one, other, str(place))
    elif ours != theirs:
        yield f"{at}: ours {ours!r}, LiteLLM's {theirs!r}"

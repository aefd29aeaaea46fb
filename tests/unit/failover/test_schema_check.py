"""Answers held against the JSON schema of their request."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.failover.schema_check import repair_messages, requested_schema, violation

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"artikel": {"enum": ["der", "die", "das"]}},
    "required": ["artikel"],
    "additionalProperties": False,
}


def format_of(schema: object) -> dict[str, Any]:
    """Returns a response_format in OpenAI's form."""
    return {"type": "json_schema", "json_schema": {"name": "word", "schema": schema}}


def test_the_schema_is_found_in_openais_form() -> None:
    """What response_format.json_schema.schema holds is the schema."""
    assert requested_schema(format_of(SCHEMA)) == SCHEMA


@pytest.mark.parametrize(
    "response_format",
    [None, "json", {"type": "json_object"}, {"type": "json_schema"}, format_of({"type": 7})],
)
def test_without_a_usable_schema_nothing_is_checked(response_format: object) -> None:
    """No schema, or one that is none, is not ours to judge."""
    assert requested_schema(response_format) is None


def test_a_good_answer_has_no_violation() -> None:
    """An answer that keeps to the schema passes, white space and all."""
    assert violation(SCHEMA, ' {"artikel": "der"}\n') is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "not JSON"),
        ("", "not JSON"),
        ("Der Apfel", "not JSON"),
        ('```json\n{"artikel": "der"}\n```', "not JSON"),
        ('{"artikel": "den"}', "$.artikel"),
        ("{}", "artikel"),
        ('{"artikel": "der", "wort": 1}', "wort"),
    ],
)
def test_a_broken_answer_is_told_how(answer: str | None, said: str) -> None:
    """The violation names what is wrong, and where."""
    assert said in (violation(SCHEMA, answer) or "")


def test_a_long_value_is_not_repeated_in_full() -> None:
    """A violation stays short enough to send back."""
    assert len(violation(SCHEMA, f'{{"artikel": "{"x" * 5000}"}}') or "") < 300


@pytest.mark.filterwarnings("default")  # jsonschema warns before it fetches
def test_a_reference_to_the_net_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller's $ref makes the gateway fetch nothing, and is taken as kept."""
    fetched: list[object] = []
    monkeypatch.setattr("urllib.request.urlopen", fetched.append)
    assert violation({"$ref": "http://127.0.0.1:1/schema.json"}, "1") is None
    assert fetched == []


def test_a_repair_shows_the_answer_and_what_was_wrong() -> None:
    """The conversation goes on after the first messages, which stay as they were."""
    first = [{"role": "user", "content": "Artikel?"}]
    messages = repair_messages(first, "den", "it is not JSON")
    assert messages[:1] == first
    assert messages[1] == {"role": "assistant", "content": "den"}
    assert "it is not JSON" in messages[2]["content"]
    assert len(first) == 1

"""Answers that come whole and are wrong."""

from __future__ import annotations

import json

import pytest

from .running import SCHEMA, TEXT, Running

STRUCTURED = {"type": "json_schema", "json_schema": {"name": "items", "schema": SCHEMA}}


@pytest.mark.parametrize("plain", [True, False])
def test_no_usage(upstream: Running, *, plain: bool) -> None:
    """no_usage leaves the token counts out of the answer, but not out of the ledger."""
    upstream.script("rules: [{do: {no_usage: true}}]")

    options = {"stream": True, "stream_options": {"include_usage": True}}
    answer = upstream.chat({} if plain else options)

    assert '"usage"' not in answer.text
    assert upstream.ledger()["total"]["output"] == 9


def test_empty_answer(upstream: Running) -> None:
    """An empty answer is one without a word."""
    upstream.script("rules: [{do: {empty: true}}]")

    answer = upstream.chat().json()

    assert answer["choices"][0]["message"]["content"] == ""
    assert answer["usage"]["completion_tokens"] == 0


def test_wrong_model(upstream: Running) -> None:
    """The scripted model is who claims to have answered; the journal keeps who was asked."""
    upstream.script("rules: [{do: {model: gpt-2}}]")

    assert upstream.chat().json()["model"] == "gpt-2"
    assert upstream.last()["model"] == "gpt-4o-mini"


def test_bad_json(upstream: Running) -> None:
    """bad_json breaks a structured answer in one of three ways, and leaves a text alone."""
    upstream.script("""
        rules:
          - {when: {nth: 1}, do: {bad_json: wrong_type}}
          - {when: {nth: 2}, do: {bad_json: truncated}}
          - {do: {bad_json: prose}}
    """)

    wrong, truncated, prose, plain = (
        upstream.chat(asked).json()["choices"][0]["message"]["content"]
        for asked in ({"response_format": STRUCTURED},) * 3 + ({},)
    )

    assert json.loads(wrong) == {"items": "keine Zahl"}
    assert truncated.startswith('{"items": [{"article"')
    with pytest.raises(json.JSONDecodeError):
        json.loads(truncated)
    assert prose.startswith("Gern!")
    assert plain == TEXT

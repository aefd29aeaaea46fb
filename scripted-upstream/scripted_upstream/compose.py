"""Composes an answer: from what was asked, what the script says, and what is to go wrong in it."""

import json
import re
from dataclasses import replace
from typing import Any

from scripted_upstream.exchange import Finish, ParsedCall, Reply, Usage
from scripted_upstream.rules import Verdict
from scripted_upstream.schema_value import value_for, wrong_value
from scripted_upstream.script import Action, Answer, BadJson, ToolCall

DEFAULT_TEXT = "Der Hund schläft im Garten, weil er müde ist."
PROSE = "Gern! Hier sind die Vokabeln aus deinem Satz: der Hund, der Garten."
_PIECE = re.compile(r"\s*\S+|\s+$")
_JSON_PIECE = re.compile(r".{1,12}", re.DOTALL)
_CHARACTERS_A_TOKEN = 4


def compose(ask: ParsedCall, verdict: Verdict, draft: Reply) -> tuple[Reply, Usage]:
    """Return the answer and the tokens that it costs, which it may be told not to report.

    Args:
        ask: the request.
        verdict: what the script wants said, and what goes wrong with it.
        draft: number, time and lists, to be filled in.
    """
    answer, action = verdict.answer, verdict.action
    if ask.operation == "free":
        return draft, Usage()
    if ask.operation == "embedding":
        vectors = tuple(_vector(each, answer.dimensions) for each in ask.inputs)
        usage = Usage(input=_input_tokens(ask, answer))
        return replace(draft, vectors=vectors, usage=None if action.no_usage else usage), usage
    tool, pieces = _content(ask, answer, action)
    if tool is None:
        pieces = _before(ask.stop, pieces)
    finish: Finish = "tool" if tool else "stop"
    if ask.max_tokens is not None and len(pieces) > ask.max_tokens:
        pieces, finish = pieces[: ask.max_tokens], "length"
    usage = Usage(
        input=_input_tokens(ask, answer),
        output=len(pieces) * ask.n if answer.output_tokens is None else answer.output_tokens,
        cached=answer.cached_tokens,
        reasoning=answer.reasoning_tokens,
    )
    reply = replace(
        draft,
        model=action.model or draft.model,
        pieces=tuple(pieces),
        tool=tool,
        finish=finish,
        usage=None if action.no_usage else usage,
    )
    return reply, usage


def _content(ask: ParsedCall, answer: Answer, action: Action) -> tuple[str | None, list[str]]:
    """Return the tool that is called, if any, and the text or its arguments in pieces."""
    if action.empty:
        return None, []
    if ask.tool is not None and ask.tool.is_answer:
        return ask.tool.name, _json_pieces(_structured(ask.tool.schema, answer), action.bad_json)
    if isinstance(answer.tool, ToolCall) and ask.tools:
        return answer.tool.name, _json_pieces(answer.tool.arguments, action.bad_json)
    if answer.tool == "auto" and ask.tool is not None:
        return ask.tool.name, _json_pieces(value_for(ask.tool.schema), action.bad_json)
    if ask.schema is not None:
        return None, _json_pieces(_structured(ask.schema, answer), action.bad_json)
    return None, _PIECE.findall(DEFAULT_TEXT if answer.text is None else answer.text)


def _before(stop: tuple[str, ...], pieces: list[str]) -> list[str]:
    """Return the pieces as far as the first of the texts that end an answer."""
    text = "".join(pieces)
    ends = [text.find(each) for each in stop if each in text]
    return _PIECE.findall(text[: min(ends)]) if ends else pieces


def _structured(schema: dict[str, Any], answer: Answer) -> object:
    return value_for(schema) if answer.json_value is None else answer.json_value


def _json_pieces(value: object, bad: BadJson | None) -> list[str]:
    if bad == "prose":
        return _PIECE.findall(PROSE)
    if bad == "wrong_type":
        value = wrong_value(value)
    text = json.dumps(value, ensure_ascii=False)
    if bad == "truncated":
        text = text[: max(1, len(text) * 2 // 3)]
    return _JSON_PIECE.findall(text)


def _input_tokens(ask: ParsedCall, answer: Answer) -> int:
    if answer.input_tokens is not None:
        return answer.input_tokens
    return max(1, -(-len(ask.prompt) // _CHARACTERS_A_TOKEN))


def _vector(text: str, dimensions: int) -> tuple[float, ...]:
    """Return a vector that depends on the text alone: the same text is its own neighbour."""
    sums = [0] * dimensions
    for place, character in enumerate(text):
        sums[place % dimensions] += ord(character)
    return tuple(round((each % 1000) / 1000 - 0.5, 3) for each in sums)

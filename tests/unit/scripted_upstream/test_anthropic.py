"""Anthropic's wire format, event by event."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from .running import ARGUMENTS, FITTING, PARAMETERS, SCHEMA, TEXT, Running

HEADERS = {"x-api-key": "sk-ant-test", "anthropic-version": "2023-06-01"}
TOOL = {"name": "look_up", "input_schema": PARAMETERS}


def ask(upstream: Running, **fields: object) -> httpx.Response:
    """Send a message."""
    message = {"role": "user", "content": [{"type": "text", "text": "x" * 40}]}
    body = {"model": "claude-haiku-4-5", "max_tokens": 50, "messages": [message], **fields}
    return upstream.http.post("/v1/messages", json=body, headers=HEADERS)


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the events of a stream, having checked that each is named after its type."""
    found = []
    for block in answer.text.strip().split("\n\n"):
        name, data = block.split("\n")
        document = json.loads(data.removeprefix("data: "))
        assert name == f"event: {document['type']}"
        found.append(document)
    return found


def test_answers(upstream: Running) -> None:
    """A message has a text block and a stop reason; cached tokens are not part of the input."""
    upstream.script("answer: {input_tokens: 100, cached_tokens: 60}")

    answer = ask(upstream).json()

    assert answer["content"] == [{"type": "text", "text": TEXT}]
    assert answer["stop_reason"] == "end_turn"
    assert answer["usage"] == {
        "input_tokens": 40,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 60,
        "output_tokens": 9,
    }


def test_streams(upstream: Running) -> None:
    """A stream goes from message_start to message_stop, with the output tokens at its end."""
    found = events(ask(upstream, stream=True))

    kinds = [each["type"] for each in found]
    assert kinds[:3] == ["message_start", "ping", "content_block_start"]
    assert kinds[3:-3] == ["content_block_delta"] * 9
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert "".join(each["delta"]["text"] for each in found[3:-3]) == TEXT
    assert found[0]["message"]["usage"]["input_tokens"] == 10
    assert found[-2]["delta"]["stop_reason"] == "end_turn"
    assert found[-2]["usage"] == {"output_tokens": 9}


def test_uses_a_tool(upstream: Running) -> None:
    """A tool that is offered is used, with an input that fits its schema."""
    answer = ask(upstream, tools=[TOOL]).json()

    (block,) = answer["content"]
    assert (block["type"], block["name"], block["input"]) == ("tool_use", "look_up", ARGUMENTS)
    assert answer["stop_reason"] == "tool_use"


def test_streams_a_tool_use(upstream: Running) -> None:
    """A streamed tool use starts with an empty input and brings it as partial JSON."""
    found = events(ask(upstream, tools=[TOOL], stream=True))

    start = next(each["content_block"] for each in found if each["type"] == "content_block_start")
    parts = [each["delta"] for each in found if each["type"] == "content_block_delta"]
    assert start["input"] == {}
    assert json.loads("".join(each["partial_json"] for each in parts)) == ARGUMENTS


@pytest.mark.parametrize(
    "asked",
    [
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    ],
)
def test_structured_text(upstream: Running, asked: dict[str, Any]) -> None:
    """A schema in output_format or output_config is answered with JSON that fits it."""
    (block,) = ask(upstream, **asked).json()["content"]

    assert json.loads(block["text"]) == FITTING


def test_structured_by_tool(upstream: Running) -> None:
    """LiteLLM's tool for structured answers gets the script's JSON, or what fits its schema."""
    tool = {"name": "json_tool_call", "input_schema": SCHEMA}

    (made,) = ask(upstream, tools=[tool]).json()["content"]
    upstream.script("answer: {json: {items: []}}")
    (scripted,) = ask(upstream, tools=[tool]).json()["content"]

    assert made["input"] == FITTING
    assert scripted["input"] == {"items": []}


@pytest.mark.parametrize(
    ("choice", "kind"),
    [({"type": "none"}, "text"), ({"type": "any"}, "tool_use"), ({"type": "auto"}, "tool_use")],
)
def test_tool_choice(upstream: Running, choice: dict[str, str], kind: str) -> None:
    """tool_choice decides whether the tool is used."""
    (block,) = ask(upstream, tools=[TOOL], tool_choice=choice).json()["content"]

    assert block["type"] == kind


def test_answers_a_tool_result_with_text(upstream: Running) -> None:
    """After a tool's result the answer is text."""
    result = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}]

    answer = ask(upstream, tools=[TOOL], messages=[{"role": "user", "content": result}]).json()

    assert answer["content"][0]["type"] == "text"


def test_any_tool_is_used_after_a_result_too(upstream: Running) -> None:
    """tool_choice any forces a tool even after a tool's result."""
    result = [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}]
    messages = [{"role": "user", "content": result}]

    answer = ask(upstream, tools=[TOOL], messages=messages, tool_choice={"type": "any"}).json()

    assert answer["content"][0]["type"] == "tool_use"


def test_counts_tokens_for_nothing(upstream: Running) -> None:
    """count_tokens tells the tokens and costs none."""
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 40}]}
    answer = upstream.http.post("/v1/messages/count_tokens", json=body, headers=HEADERS)

    assert answer.json() == {"input_tokens": 10}
    assert upstream.ledger()["rows"] == []


def test_lists_models(upstream: Running) -> None:
    """GET /v1/models with Anthropic's version header is Anthropic's list."""
    answer = upstream.http.get("/v1/models", headers=HEADERS).json()

    assert [(each["type"], each["id"]) for each in answer["data"]] == [("model", "scripted-model")]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"model": None}, "model: Field required"),
        ({"messages": [{"role": "system", "content": "x"}]}, "Unexpected role 'system'"),
    ],
)
def test_refuses_what_anthropic_would(
    upstream: Running, wrong: dict[str, object], message: str
) -> None:
    """A request without what Anthropic needs, or with a system message, is refused."""
    answer = ask(upstream, **wrong)

    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_wants_a_version(upstream: Running) -> None:
    """A request without the header anthropic-version is refused."""
    answer = upstream.http.post("/v1/messages", json={"model": "m", "messages": []})

    assert "anthropic-version" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("error: context_window", 400, "invalid_request_error"),
        ("error: unauthorized", 401, "authentication_error"),
        ("error: rate_limit", 429, "rate_limit_error"),
        ("error: server_error", 500, "api_error"),
        ("status: 529", 529, "overloaded_error"),
    ],
)
def test_errors(upstream: Running, action: str, status: int, kind: str) -> None:
    """An error has Anthropic's type and body."""
    upstream.script(f"rules: [{{do: {{{action}}}}}]")

    answer = ask(upstream)

    assert answer.status_code == status
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == kind


def test_error_in_a_stream(upstream: Running) -> None:
    """An error midway is an event of its own, and the last one."""
    upstream.script("rules: [{do: {error_after: 2}}]")

    last = events(ask(upstream, stream=True))[-1]

    assert last["type"] == "error"
    assert last["error"] == {"type": "api_error", "message": "Internal server error"}

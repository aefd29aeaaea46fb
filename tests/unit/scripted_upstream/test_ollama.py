"""Ollama's wire format, as Ollama's own client reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import ollama
import pytest

from .running import ARGUMENTS, FITTING, PARAMETERS, SCHEMA, TEXT, Running

MESSAGES = [{"role": "user", "content": "x" * 40}]
TOOL: Any = {"type": "function", "function": {"name": "look_up", "parameters": PARAMETERS}}


@pytest.fixture
def client(upstream: Running) -> Iterator[ollama.Client]:
    """Yield Ollama's client."""
    with ollama.Client(upstream.url) as client:
        yield client


def test_chats(client: ollama.Client) -> None:
    """A chat answer has text, done reason and both counts."""
    answer = client.chat("llama3.2", MESSAGES)

    assert answer.message.content == TEXT
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert (answer.prompt_eval_count, answer.eval_count) == (10, 9)


def test_streams_lines(client: ollama.Client) -> None:
    """A stream is a JSON object a line; only the last one is done and has the counts."""
    lines = list(client.chat("llama3.2", MESSAGES, stream=True))

    assert "".join(each.message.content or "" for each in lines) == TEXT
    assert [each.done for each in lines] == [False] * 9 + [True]
    assert [each.eval_count for each in lines] == [None] * 9 + [9]


def test_streams_unless_told_not_to(upstream: Running) -> None:
    """A request that does not say is answered with a stream, as Ollama does."""
    body = {"model": "llama3.2", "messages": MESSAGES}

    answer = upstream.http.post("/api/chat", json=body)

    assert answer.headers["content-type"] == "application/x-ndjson"


@pytest.mark.parametrize("stream", [False, True])
def test_calls_a_tool(client: ollama.Client, *, stream: bool) -> None:
    """A tool is called with its arguments as an object, in one piece."""
    if stream:
        message = next(client.chat("llama3.2", MESSAGES, tools=[TOOL], stream=True)).message
    else:
        message = client.chat("llama3.2", MESSAGES, tools=[TOOL]).message

    (call,) = message.tool_calls or []
    assert (call.function.name, call.function.arguments) == ("look_up", ARGUMENTS)


def test_answers_a_tool_result_with_text(client: ollama.Client) -> None:
    """After a tool's result the answer is text."""
    answer = client.chat("llama3.2", [{"role": "tool", "content": "x"}], tools=[TOOL])

    assert answer.message.content == TEXT


def test_honours_a_format(client: ollama.Client) -> None:
    """A schema as format, or "json", is honoured by chat and generate."""
    chat = client.chat("llama3.2", MESSAGES, format=SCHEMA)
    generate = client.generate("llama3.2", "x", format=SCHEMA)
    anything = client.chat("llama3.2", MESSAGES, format="json")

    assert json.loads(chat.message.content or "") == FITTING
    assert json.loads(generate.response or "") == FITTING
    assert json.loads(anything.message.content or "") == {}


def test_generates(client: ollama.Client) -> None:
    """Generate answers whole and streamed, and ends after num_predict tokens."""
    whole = client.generate("llama3.2", "x" * 40)
    streamed = client.generate("llama3.2", "x", stream=True)
    short = client.generate("llama3.2", "x", options={"num_predict": 2})

    assert (whole.response, whole.prompt_eval_count) == (TEXT, 10)
    assert "".join(each.response or "" for each in streamed) == TEXT
    assert (short.response, short.done_reason) == ("Der Hund", "length")


def test_tells_its_models(upstream: Running, client: ollama.Client) -> None:
    """Tags, ps, show and version tell of the script's models, and cost nothing."""
    upstream.script("models: [llama3.2, 'qwen3:4b']")

    assert [each.model for each in client.list().models] == ["llama3.2:latest", "qwen3:4b"]
    assert [each.model for each in client.ps().models] == ["llama3.2:latest", "qwen3:4b"]
    assert client.show("llama3.2").capabilities == ["completion", "tools"]
    assert upstream.http.get("/api/version").json() == {"version": "0.17.4"}
    assert upstream.ledger()["rows"] == []


def test_pulls(client: ollama.Client) -> None:
    """A pull shows progress and ends with success; unstreamed it is success alone."""
    steps = list(client.pull("llama3.2", stream=True))

    assert steps[0].status == "pulling manifest"
    assert [each.completed for each in steps if each.total] == [0, 1009696594, 2019393189]
    assert steps[-1].status == "success"
    assert client.pull("llama3.2").status == "success"


def test_embeds(client: ollama.Client) -> None:
    """Texts are embedded, the same text alike."""
    answer = client.embed("m", ["Hund", "Hund", "Katze"])

    assert answer.embeddings[0] == answer.embeddings[1] != answer.embeddings[2]


def test_errors(upstream: Running, client: ollama.Client) -> None:
    """An error is Ollama's: a string, before a stream and in it."""
    upstream.script("rules: [{when: {nth: 1}, do: {error: not_found}}, {do: {error_after: 2}}]")

    with pytest.raises(ollama.ResponseError, match="model not found") as before:
        client.chat("llama3.2", MESSAGES)
    with pytest.raises(ollama.ResponseError, match="runner process has terminated"):
        list(client.chat("llama3.2", MESSAGES, stream=True))

    assert before.value.status_code == 404

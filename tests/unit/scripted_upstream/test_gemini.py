"""Gemini's wire format, response by response."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from .running import ARGUMENTS, FITTING, PARAMETERS, SCHEMA, TEXT, Running

MODEL = "/v1beta/models/gemini-2.5-flash"
TOOLS = [{"functionDeclarations": [{"name": "look_up", "parameters": PARAMETERS}]}]
UPPER = {
    "type": "OBJECT",
    "properties": {
        "items": {
            "type": "ARRAY",
            "items": {
                "type": "OBJECT",
                "properties": {
                    "article": {"type": "STRING", "enum": ["der"]},
                    "word": {"type": "STRING"},
                },
            },
        },
    },
}


def ask(
    upstream: Running, path: str = f"{MODEL}:generateContent", **fields: object
) -> httpx.Response:
    """Generate content."""
    contents = [{"role": "user", "parts": [{"text": "x" * 40}]}]
    headers = {"x-goog-api-key": "g-test"}
    return upstream.http.post(path, json={"contents": contents, **fields}, headers=headers)


def stream(upstream: Running, **fields: object) -> list[dict[str, Any]]:
    """Generate content as a stream; return its responses."""
    answer = ask(upstream, f"{MODEL}:streamGenerateContent?alt=sse", **fields)
    assert answer.headers["content-type"] == "text/event-stream"
    blocks = answer.text.strip().split("\r\n\r\n")
    return [json.loads(each.removeprefix("data: ")) for each in blocks]


@pytest.mark.parametrize("prefix", ["/v1beta", "/v1alpha", "/v1", ""])
def test_answers(upstream: Running, prefix: str) -> None:
    """Content is generated under every version of the path, and under none (LiteLLM's way)."""
    answer = ask(upstream, f"{prefix}/models/gemini-2.5-flash:generateContent").json()

    (candidate,) = answer["candidates"]
    assert candidate["content"] == {"parts": [{"text": TEXT}], "role": "model"}
    assert candidate["finishReason"] == "STOP"
    assert answer["modelVersion"] == "gemini-2.5-flash"
    assert answer["usageMetadata"]["totalTokenCount"] == 19
    assert upstream.last()["key"] == "g-test"


def test_usage_takes_tokens_apart(upstream: Running) -> None:
    """Thoughts are counted apart from the candidates, cached tokens as a part of the prompt."""
    upstream.script(
        "answer: {input_tokens: 100, cached_tokens: 60, output_tokens: 50, reasoning_tokens: 30}"
    )

    usage = ask(upstream).json()["usageMetadata"]

    assert usage["promptTokenCount"] == 100
    assert usage["cachedContentTokenCount"] == 60
    assert usage["candidatesTokenCount"] == 20
    assert usage["thoughtsTokenCount"] == 30
    assert usage["totalTokenCount"] == 150


def test_streams(upstream: Running) -> None:
    """Only the last response of a stream has finish reason and usage."""
    found = stream(upstream)

    candidates = [each["candidates"][0] for each in found]
    assert "".join(each["content"]["parts"][0]["text"] for each in candidates) == TEXT
    assert ["finishReason" in each for each in candidates] == [False] * 8 + [True]
    assert ["usageMetadata" in each for each in found] == [False] * 8 + [True]


@pytest.mark.parametrize("streamed", [False, True])
def test_calls_a_function(upstream: Running, *, streamed: bool) -> None:
    """A function that is declared is called, in one piece."""
    answer = stream(upstream, tools=TOOLS)[0] if streamed else ask(upstream, tools=TOOLS).json()

    (part,) = answer["candidates"][0]["content"]["parts"]
    assert part == {"functionCall": {"name": "look_up", "args": ARGUMENTS}}


@pytest.mark.parametrize(
    ("mode", "part"), [("NONE", "text"), ("ANY", "functionCall"), ("AUTO", "functionCall")]
)
def test_function_calling_mode(upstream: Running, mode: str, part: str) -> None:
    """The calling mode decides whether the function is called."""
    config = {"functionCallingConfig": {"mode": mode}}

    answer = ask(upstream, tools=TOOLS, toolConfig=config).json()

    assert list(answer["candidates"][0]["content"]["parts"][0]) == [part]


def test_answers_a_function_response_with_text(upstream: Running) -> None:
    """After a function's response the answer is text."""
    part = {"functionResponse": {"name": "look_up", "response": {}}}

    answer = ask(upstream, tools=TOOLS, contents=[{"role": "user", "parts": [part]}]).json()

    assert answer["candidates"][0]["content"]["parts"] == [{"text": TEXT}]


@pytest.mark.parametrize(
    "config",
    [
        {"responseMimeType": "application/json", "responseSchema": UPPER},
        {"response_mime_type": "application/json", "response_json_schema": SCHEMA},
        {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        {"responseFormat": {"text": {"mimeType": "APPLICATION_JSON", "schema": SCHEMA}}},
    ],
    ids=["openapi", "snake", "camel", "gemini-3"],
)
def test_fits_a_schema(upstream: Running, config: dict[str, Any]) -> None:
    """A schema is honoured in each of the four ways that LiteLLM and Google send it."""
    answer = ask(upstream, generationConfig=config).json()

    assert json.loads(answer["candidates"][0]["content"]["parts"][0]["text"]) == FITTING


def test_free_and_embedding_methods(upstream: Running) -> None:
    """Models are listed, tokens counted and texts embedded."""
    content = {"parts": [{"text": "Hund"}]}
    models = upstream.http.get("/v1beta/models").json()["models"]
    count = ask(upstream, f"{MODEL}:countTokens").json()
    one = upstream.http.post(f"{MODEL}:embedContent", json={"content": content}).json()
    body = {"requests": [{"content": content}, {"content": content}]}
    many = upstream.http.post(f"{MODEL}:batchEmbedContents", json=body).json()

    assert [each["name"] for each in models] == ["models/scripted-model"]
    assert count == {"totalTokens": 10}
    assert many["embeddings"] == [one["embedding"], one["embedding"]]


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("context_window", 400, "INVALID_ARGUMENT"),
        ("unauthorized", 401, "UNAUTHENTICATED"),
        ("rate_limit", 429, "RESOURCE_EXHAUSTED"),
        ("server_error", 500, "INTERNAL"),
        ("unavailable", 503, "UNAVAILABLE"),
    ],
)
def test_errors(upstream: Running, kind: str, code: int, status: str) -> None:
    """An error has Google's status names and repeats the HTTP status as its code."""
    upstream.script(f"rules: [{{do: {{error: {kind}}}}}]")

    answer = ask(upstream)

    assert answer.status_code == code
    assert (answer.json()["error"]["code"], answer.json()["error"]["status"]) == (code, status)

"""OpenAI's wire format, as OpenAI's own client reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest

from .running import ARGUMENTS, FITTING, PARAMETERS, SCHEMA, TEXT, Running

ASK: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x" * 40}]}
TOOL: Any = {"type": "function", "function": {"name": "look_up", "parameters": PARAMETERS}}
STRUCTURED: Any = {"type": "json_schema", "json_schema": {"name": "items", "schema": SCHEMA}}


@pytest.fixture
def client(upstream: Running) -> Iterator[openai.OpenAI]:
    """Yield OpenAI's client, without retries of its own."""
    with openai.OpenAI(base_url=f"{upstream.url}/v1", api_key="sk-test", max_retries=0) as client:
        yield client


def test_answers(client: openai.OpenAI) -> None:
    """A chat completion has text, finish reason and tokens that follow from its length."""
    answer = client.chat.completions.create(**ASK)

    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "gpt-4o-mini"
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 9)


def test_streams_words(client: openai.OpenAI) -> None:
    """A stream brings the same text word by word, and the usage in a last chunk when asked."""
    chunks = list(
        client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True})
    )

    words = [each.choices[0].delta.content or "" for each in chunks if each.choices]
    assert "".join(words) == TEXT
    assert words[1:4] == ["Der", " Hund", " schläft"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == 9


def test_stream_has_no_usage_unasked(client: openai.OpenAI) -> None:
    """Without stream_options no chunk has usage, as with OpenAI."""
    chunks = list(client.chat.completions.create(**ASK, stream=True))

    assert [each.usage for each in chunks] == [None] * len(chunks)


def test_calls_a_tool(client: openai.OpenAI) -> None:
    """A request that offers a tool gets a call with arguments that fit the tool's schema."""
    answer = client.chat.completions.create(**ASK, tools=[TOOL])

    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "look_up"
    assert json.loads(call.function.arguments) == ARGUMENTS
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None


def test_streams_a_tool_call(client: openai.OpenAI) -> None:
    """A streamed tool call names the tool first and then brings its arguments in fragments."""
    chunks = list(client.chat.completions.create(**ASK, tools=[TOOL], stream=True))

    calls = [call for each in chunks for call in each.choices[0].delta.tool_calls or []]
    functions = [call.function for call in calls if call.function]
    assert functions[0].name == "look_up"
    assert json.loads("".join(each.arguments or "" for each in functions)) == ARGUMENTS
    assert len(functions) > 2
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", None),
        ("auto", "look_up"),
        ("required", "look_up"),
        ({"type": "function", "function": {"name": "other"}}, "other"),
    ],
)
def test_tool_choice(client: openai.OpenAI, choice: Literal["none"], called: str | None) -> None:
    """tool_choice decides whether a tool is called, and which."""
    other: Any = {"type": "function", "function": {"name": "other", "parameters": {}}}

    answer = client.chat.completions.create(**ASK, tools=[TOOL, other], tool_choice=choice)

    calls = answer.choices[0].message.tool_calls or []
    assert [each.function.name for each in calls if each.type == "function"] == (
        [called] if called else []
    )


def test_answers_a_tool_result_with_text(client: openai.OpenAI) -> None:
    """After a tool's result the answer is text, so that a conversation with tools ends."""
    result: Any = {"role": "tool", "tool_call_id": "call_1", "content": "{}"}

    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=[*ASK["messages"], result], tools=[TOOL]
    )

    assert answer.choices[0].message.content == TEXT


@pytest.mark.parametrize("stream", [False, True])
def test_fits_a_json_schema(client: openai.OpenAI, *, stream: bool) -> None:
    """An answer to a request with a JSON schema is JSON that fits it."""
    answer: Any = client.chat.completions.create(**ASK, response_format=STRUCTURED, stream=stream)

    content = (
        "".join(each.choices[0].delta.content or "" for each in answer)
        if stream
        else answer.choices[0].message.content
    )
    assert json.loads(content) == FITTING


def test_scripted_answer(upstream: Running, client: openai.OpenAI) -> None:
    """A script gives the text, the JSON and every token count."""
    upstream.script(
        "answer: {text: Guten Tag, json: {items: []}, input_tokens: 100, output_tokens: 50, "
        "cached_tokens: 40, reasoning_tokens: 30}"
    )

    plain = client.chat.completions.create(**ASK)
    structured = client.chat.completions.create(**ASK, response_format=STRUCTURED)

    usage = plain.usage
    assert plain.choices[0].message.content == "Guten Tag"
    assert structured.choices[0].message.content == '{"items": []}'
    assert usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (100, 50, 150)
    assert usage.prompt_tokens_details
    assert usage.prompt_tokens_details.cached_tokens == 40
    assert usage.completion_tokens_details
    assert usage.completion_tokens_details.reasoning_tokens == 30


def test_scripted_tool_call(upstream: Running, client: openai.OpenAI) -> None:
    """A script chooses the tool and its arguments, or that none is called."""
    upstream.script("""
        answer: {tool: {name: other, arguments: {a: 1}}}
        rules: [{when: {nth: 2}, answer: {tool: never}}]
    """)

    first = client.chat.completions.create(**ASK, tools=[TOOL]).choices[0].message
    second = client.chat.completions.create(**ASK, tools=[TOOL]).choices[0].message

    (call,) = first.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("other", '{"a": 1}')
    assert second.content == TEXT


def test_max_tokens_ends_the_answer(client: openai.OpenAI) -> None:
    """An answer longer than max_tokens ends there, with finish reason length."""
    answer = client.chat.completions.create(**ASK, max_tokens=2)

    assert answer.choices[0].message.content == "Der Hund"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage
    assert answer.usage.completion_tokens == 2


def test_a_stop_ends_the_answer_before_it(client: openai.OpenAI) -> None:
    """The first of several that the text has; what is left is what costs tokens."""
    answer = client.chat.completions.create(**ASK, stop=["Garten", " im"])

    assert answer.choices[0].message.content == "Der Hund schläft"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert answer.usage.completion_tokens == 3


def test_answers_several_times(client: openai.OpenAI) -> None:
    """With n there are n choices, and all of them cost tokens."""
    answer = client.chat.completions.create(**ASK, n=2)
    chunks = list(client.chat.completions.create(**ASK, n=2, stream=True))

    assert [(each.index, each.message.content) for each in answer.choices] == [(0, TEXT), (1, TEXT)]
    assert answer.usage
    assert answer.usage.completion_tokens == 18
    found = [choice for each in chunks for choice in each.choices]
    assert {choice.index for choice in found if choice.finish_reason} == {0, 1}
    second = "".join(choice.delta.content or "" for choice in found if choice.index == 1)
    assert second == TEXT


def test_tells_logprobs(client: openai.OpenAI) -> None:
    """Of each token, with as many alternatives as are asked for; none unasked."""
    answer = client.chat.completions.create(**ASK, logprobs=True, top_logprobs=2)
    chunks = list(client.chat.completions.create(**ASK, logprobs=True, stream=True))

    told = answer.choices[0].logprobs
    assert told
    assert "".join(each.token for each in told.content or []) == TEXT
    assert [len(each.top_logprobs) for each in told.content or []] == [2] * 9
    streamed = [choice.logprobs for each in chunks for choice in each.choices if choice.logprobs]
    assert "".join(token.token for each in streamed for token in each.content or []) == TEXT
    assert client.chat.completions.create(**ASK).choices[0].logprobs is None


def test_completes_a_text(client: openai.OpenAI) -> None:
    """POST /completions, plain and streamed, with the older form of logprobs."""
    ask: Any = {"model": "gpt-3.5-turbo-instruct", "prompt": ["x" * 40], "logprobs": 1}
    answer = client.completions.create(**ask, max_tokens=2)
    chunks = list(client.completions.create(**ask, stream=True))

    (choice,) = answer.choices
    assert (answer.object, choice.text, choice.finish_reason) == (
        "text_completion",
        "Der Hund",
        "length",
    )
    assert choice.logprobs
    assert choice.logprobs.tokens == ["Der", " Hund"]
    assert choice.logprobs.text_offset == [0, 3]
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 2)
    assert "".join(each.choices[0].text for each in chunks) == TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_lists_models(upstream: Running, client: openai.OpenAI) -> None:
    """The list of models is the script's."""
    upstream.script("models: [a, b]")

    assert [each.id for each in client.models.list()] == ["a", "b"]


def test_embeds(client: openai.OpenAI) -> None:
    """Each text has a vector of its own, the same one each time, in both encodings."""
    first = client.embeddings.create(model="m", input=["Hund", "Katze"])
    again = client.embeddings.create(model="m", input="Hund", encoding_format="float")

    assert first.data[0].embedding == pytest.approx(again.data[0].embedding)
    assert first.data[0].embedding != first.data[1].embedding
    assert first.usage.prompt_tokens == 3


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("context_window", openai.BadRequestError, "context_length_exceeded"),
        ("content_policy", openai.BadRequestError, "content_policy_violation"),
        ("unauthorized", openai.AuthenticationError, "invalid_api_key"),
        ("not_found", openai.NotFoundError, "model_not_found"),
        ("rate_limit", openai.RateLimitError, "rate_limit_exceeded"),
        ("quota", openai.RateLimitError, "insufficient_quota"),
        ("server_error", openai.InternalServerError, None),
        ("unavailable", openai.InternalServerError, None),
    ],
)
def test_errors(
    upstream: Running,
    client: openai.OpenAI,
    kind: str,
    error: type[openai.APIStatusError],
    code: str | None,
) -> None:
    """An error has OpenAI's status and code, so that its client raises the right class."""
    upstream.script(f"rules: [{{do: {{error: {kind}}}}}]")

    with pytest.raises(error) as raised:
        client.chat.completions.create(**ASK)

    assert raised.value.code == code


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"messages": []}', "you must provide a model parameter"),
        (b'{"model": "m"}', "missing required parameter: 'messages'"),
        (b"{", "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
    ],
)
def test_refuses_what_openai_would(upstream: Running, content: bytes, message: str) -> None:
    """A request that lacks what OpenAI needs is refused with 400 and the reason."""
    answer = upstream.http.post("/v1/chat/completions", content=content)

    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


def test_unknown_path(upstream: Running) -> None:
    """A path that no provider has is a 404 that names it, and is in the journal."""
    answer = upstream.http.post("/v1/chat", json={})

    assert answer.status_code == 404
    assert "POST /v1/chat" in answer.json()["error"]["message"]
    assert upstream.last()["path"] == "/v1/chat"

"""Anthropic and Gemini through the worker: what comes back, and what arrives there."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from gateway.request import Operation
from unit.scripted_upstream.running import ARGUMENTS, FITTING, PARAMETERS, SCHEMA, TEXT
from unit.worker.asking import Asking

pytestmark = pytest.mark.long

BOTH = pytest.mark.parametrize("provider", ["anthropic", "gemini"])
TOOL = {"type": "function", "function": {"name": "repeat", "parameters": PARAMETERS}}


@BOTH
def test_a_plain_answer_has_openais_form_and_its_usage(ask: Asking, provider: str) -> None:
    """The provider's usage, and not one that was counted."""
    reply = ask.plain(provider)
    assert reply.data is not None
    message = reply.data["choices"][0]["message"]
    assert (message["role"], message["content"]) == ("assistant", TEXT)
    assert reply.data["choices"][0]["finish_reason"] == "stop"
    assert reply.usage.total == reply.data["usage"]["total_tokens"] > 0
    assert not reply.usage.counted


@BOTH
def test_a_stream_brings_the_whole_text_and_one_end(ask: Asking, provider: str) -> None:
    """A caller that did not ask for usage sees none."""
    found = ask.stream(provider)
    assert (found.text, found.finish_reasons, found.failure) == (TEXT, ["stop"], None)
    assert found.usage.completion == len(TEXT.split())
    assert not any("usage" in chunk for chunk in found.chunks)


@BOTH
def test_a_streams_usage_is_shown_to_who_asks_for_it(ask: Asking, provider: str) -> None:
    """`stream_options.include_usage` of the caller's own."""
    found = ask.stream(provider, stream_options={"include_usage": True})
    shown = [chunk["usage"] for chunk in found.chunks if "usage" in chunk]
    assert shown[-1]["completion_tokens"] == found.usage.completion


@BOTH
def test_a_tool_is_called_plain_and_streamed(ask: Asking, provider: str) -> None:
    """The arguments are whole in both, and the finish_reason is the tool's."""
    reply = ask.plain(provider, {"messages": [{"role": "user", "content": "x"}], "tools": [TOOL]})
    assert reply.data is not None
    choice = reply.data["choices"][0]
    call = choice["message"]["tool_calls"][0]["function"]
    assert (call["name"], json.loads(call["arguments"])) == ("repeat", ARGUMENTS)
    assert choice["finish_reason"] == "tool_calls"
    found = ask.stream(provider, tools=[TOOL])
    parts = [
        call["function"].get("arguments") or ""
        for chunk in found.chunks
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls") or ()
    ]
    assert json.loads("".join(parts)) == ARGUMENTS
    assert (found.finish_reasons, found.failure) == (["tool_calls"], None)


@BOTH
def test_a_json_schema_arrives_and_is_kept(ask: Asking, provider: str) -> None:
    """LiteLLM translates it to each provider's own way of asking."""
    schema = {"name": "words", "schema": SCHEMA, "strict": True}
    kind = {"type": "json_schema", "json_schema": schema}
    reply = ask.plain(
        provider, {"messages": [{"role": "user", "content": "x"}], "response_format": kind}
    )
    assert reply.data is not None
    assert json.loads(reply.data["choices"][0]["message"]["content"]) == FITTING


def test_a_cached_prompt_and_reasoning_are_told_apart(ask: Asking) -> None:
    """They have prices of their own."""
    ask.upstream.script(
        "answer: {input_tokens: 50, cached_tokens: 20, reasoning_tokens: 4, output_tokens: 9}"
    )
    usage = ask.plain("gemini").usage
    assert (usage.prompt, usage.cached, usage.completion, usage.reasoning) == (50, 20, 9, 4)
    assert ask.plain("anthropic").usage.cached == 20


@BOTH
def test_usage_that_nobody_reported_is_counted_and_marked(ask: Asking, provider: str) -> None:
    """Plain answers without usage are an error in LiteLLM's transformations."""
    ask.script("{no_usage: true}")
    streamed = ask.stream(provider)
    assert streamed.failure is None
    assert streamed.usage.counted
    assert streamed.usage.completion > 5


def test_embeddings_and_text_completions_are_answered(ask: Asking) -> None:
    """Each operation has a function of LiteLLM's of its own."""
    vectors = ask.plain("gemini", {"input": ["a", "b"]}, operation=Operation.EMBEDDING)
    assert vectors.data is not None
    assert len(vectors.data["data"]) == 2
    text = ask.plain("anthropic", {"prompt": "Hallo"}, operation=Operation.COMPLETION)
    assert text.data is not None
    assert text.data["choices"][0]["text"] == TEXT


@BOTH
def test_the_request_id_reaches_the_provider(ask: Asking, provider: str) -> None:
    """With the number of the attempt."""
    ask.plain(provider)
    assert ask.upstream.last()["headers"]["x-client-request-id"] == "call-1"


@BOTH
def test_a_body_cannot_turn_the_call_elsewhere(ask: Asking, provider: str) -> None:
    """LiteLLM's controls are keyword arguments next to OpenAI's fields."""
    theft = {"api_base": "http://127.0.0.1:1", "api_key": "theirs", "mock_response": "no"}
    more = {"extra_headers": {"x-a": "b"}, "extra_body": {"model": "dear"}, "fallbacks": ["x"]}
    ask.plain(provider, {"messages": [{"role": "user", "content": "x"}], **theft, **more})
    entry = ask.upstream.last()
    assert entry["model"] == ("claude-haiku-4-5" if provider == "anthropic" else "gemini-2.5-flash")
    assert "x-a" not in entry["headers"]
    assert "theirs" not in json.dumps(entry)


@BOTH
def test_a_stream_that_is_left_is_ended_at_the_provider_and_its_usage_known(
    ask: Asking, provider: str
) -> None:
    """Nobody pays for what nobody reads."""
    ask.script("{ms_per_token: 200}")

    async def leave() -> int:
        stream = await ask.open(provider)
        for _ in range(3):
            await stream.__anext__()
        await stream.close()
        return stream.usage.completion

    used = ask.run(leave())
    assert 1 <= used < 12  # LiteLLM's tokenizer, not the upstream's count of words

    async def left() -> None:
        while (await asyncio.to_thread(ask.upstream.last))["ended"] != "client_left":  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.02)

    ask.run(left())


def test_the_calls_of_one_worker_do_not_wait_for_each_other(ask: Asking) -> None:
    """Ten that take half a second each."""
    ask.script("{stall: 0.5}")

    async def ten() -> float:
        began = asyncio.get_running_loop().time()
        streams = await asyncio.gather(*[ask.open("anthropic") for _ in range(10)])
        took = asyncio.get_running_loop().time() - began
        await asyncio.gather(*[stream.close() for stream in streams])
        return took

    assert ask.run(ten()) < 4


def test_what_the_worker_uses_can_be_seen(ask: Asking) -> None:
    """For health, metrics and `./run check`."""
    assert ask.worker.state == "ready"
    assert (ask.worker.memory or 0) > 50 << 20
    assert ask.worker.reasons() == ("a: anthropic/claude-haiku-4-5",)
    assert re.fullmatch(r"\d+", str(ask.worker.pid))

"""Ollama's own API, spoken for callers of OpenAI's."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.request import Operation, Usage
from gateway.routing.failure import FailureKind, Refusal
from unit.providers.wire import END, HI, Json, Wire, lines, ollama, part, request, text_of

WHOLE = lines(part("Hal"), part("lo"), END)
PLAIN = Wire((part("Hallo", done=True, done_reason="stop", prompt_eval_count=7, eval_count=2),))
COUNTS = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
CALL = {"id": "call_x", "function": {"name": "f", "arguments": {"a": 1}}}
OPENAI_CALL = {
    "id": "call_x",
    "type": "function",
    "function": {"name": "f", "arguments": '{"a": 1}'},
}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


def sent(body: Json, operation: Operation = Operation.CHAT, defaults: Json | None = None) -> Json:
    """Return what Ollama is sent."""

    async def test() -> Json:
        async with ollama(PLAIN, defaults=defaults or {}) as made:
            await made.ask(request(body, operation))
            return made.server.asked[0].body

    return asyncio.run(test())


def test_a_prompt_that_does_not_fit_is_never_cut() -> None:
    """Ollama, which cuts long prompts by default, is told never to do so."""
    body = sent({})
    assert (body["truncate"], body["shift"]) == (False, False)
    assert (body["model"], body["stream"], body["messages"]) == ("theirs", False, HI)


def test_sampling_becomes_options() -> None:
    """Parameters of sampling become Ollama's options, under its names."""
    given = {"max_tokens": 5, "temperature": 0, "top_p": 0.5, "seed": 1, "stop": "x"}
    assert sent({**given, "frequency_penalty": 0.5, "top_k": 3})["options"] == {
        "num_predict": 5,
        "temperature": 0,
        "top_p": 0.5,
        "seed": 1,
        "stop": ["x"],
        "frequency_penalty": 0.5,
        "top_k": 3,
    }


def test_what_makes_ollama_load_a_model_again_is_the_configurations_alone() -> None:
    """Only the configuration, and no caller, sets what makes Ollama load a model again."""
    body = sent({"num_ctx": 1, "keep_alive": 0}, defaults={"num_ctx": 8192, "keep_alive": "5m"})
    assert (body["options"], body["keep_alive"]) == ({"num_ctx": 8192}, "5m")
    body = sent({"num_ctx": 1, "keep_alive": 0, "options": {"num_gpu": 0}, "num_gpu": 0})
    assert (body["options"], "keep_alive" in body) == ({}, False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"role": "developer", "content": "x"}, {"role": "system", "content": "x"}),
        (
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"text": "b"}]},
            {"role": "user", "content": "ab"},
        ),
        (
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ"}}
                ],
            },
            {"role": "user", "content": "", "images": ["QQ"]},
        ),
        (
            {"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
        ),
        (
            {"role": "tool", "content": "1", "tool_call_id": "call_x", "name": "f"},
            {"role": "tool", "content": "1", "tool_call_id": "call_x", "tool_name": "f"},
        ),
    ],
)
def test_messages_are_put_into_ollamas_form(given: Json, expected: Json) -> None:
    """Messages reach Ollama with texts joined, images as base64 and arguments as objects."""
    assert sent({"messages": [given]})["messages"] == [expected]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"image_url": {"url": "https://x/y.png"}}]},
        {"role": "user", "content": [{"image_url": {"detail": "low"}}]},
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]},
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[]"}}]},
        {"role": "user", "content": [7]},
    ],
)
async def test_what_ollama_cannot_take_is_the_requests_fault(message: Json) -> None:
    """A message that Ollama cannot take is the request's fault, and Ollama is not asked."""
    async with ollama(PLAIN) as made:
        failure = await made.failure(request({"messages": [message]}))
        assert (failure.kind, failure.status) == (FailureKind.REQUEST, 400)
        assert made.server.asked == []


@pytest.mark.parametrize(
    ("given", "field", "expected"),
    [
        ({"response_format": {"type": "json_object"}}, "format", "json"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"a": 1}}}},
            "format",
            {"a": 1},
        ),
        ({"response_format": {"type": "text"}}, "format", None),
        ({"tools": [TOOL]}, "tools", [TOOL]),
        ({"tools": [TOOL], "tool_choice": "none"}, "tools", None),
        ({"functions": [TOOL["function"]]}, "tools", [TOOL]),
        ({"reasoning_effort": "low"}, "think", True),
        ({"reasoning_effort": "none"}, "think", False),
        ({"logprobs": True, "top_logprobs": 2}, "top_logprobs", 2),
        ({"user": "x"}, "user", None),
    ],
)
def test_other_fields_become_ollamas(given: Json, field: str, expected: object) -> None:
    """Other fields get Ollama's names, and those that it does not know are left out."""
    assert sent(given).get(field) == expected


async def test_without_drop_params_an_unknown_parameter_is_refused() -> None:
    """Without drop_params, a parameter that Ollama does not know is refused by its name."""
    async with ollama(PLAIN, drop_params=False) as made:
        await made.ask(request({"n": 1, "user": "x"}))
        failure = await made.failure(request({"n": 2}))
        assert (failure.kind, failure.error_param) == (FailureKind.REQUEST, "n")


async def test_an_answer_is_a_chat_completion() -> None:
    """Ollama's answer becomes a chat completion, with Ollama's counts as its usage."""
    async with ollama(PLAIN) as made:
        reply = await made.ask()
        assert reply.usage == Usage(7, 2, raw=COUNTS)
        assert reply.data is not None
        assert reply.data["id"].startswith("chatcmpl-")
        assert reply.data["usage"] == COUNTS
        assert reply.data["choices"] == [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Hallo"},
            }
        ]


@pytest.mark.parametrize("stream", [False, True])
async def test_tool_calls_have_arguments_as_text(stream: bool) -> None:
    """Ollama's tool calls get arguments as text, and `tool_calls` as finish_reason."""
    message = {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [CALL]}
    line = part("", message=message)
    async with ollama(lines(line, END) if stream else Wire(({**END, **line},))) as made:
        if stream:
            chunks, _ = await made.chunks(tools=[TOOL])
            found = chunks[0]["choices"][0]["delta"]
            reason = chunks[-1]["choices"][0]["finish_reason"]
            assert found["tool_calls"] == [{"index": 0, **OPENAI_CALL}]
        else:
            reply = await made.ask(request({"tools": [TOOL]}))
            assert reply.data is not None
            found = reply.data["choices"][0]["message"]
            reason = reply.data["choices"][0]["finish_reason"]
            assert found["tool_calls"] == [OPENAI_CALL]
        assert (found["reasoning_content"], reason) == ("hm", "tool_calls")


async def test_a_stream_is_one_of_chunks() -> None:
    """Ollama's stream becomes chunks with one id, the role first and the reason last."""
    async with ollama(WHOLE) as made:
        chunks, stream = await made.chunks(stream_options={"include_usage": True})
        deltas = [each["choices"][0]["delta"] for each in chunks[:-1]]
        assert deltas == [{"role": "assistant", "content": "Hal"}, {"content": "lo"}, {}]
        assert chunks[2]["choices"][0]["finish_reason"] == "stop"
        assert chunks[3]["usage"] == COUNTS
        assert len({each["id"] for each in chunks}) == 1
        assert stream.usage == Usage(7, 2, raw=COUNTS)
        await made.chunks()
        assert [each.connection for each in made.server.asked] == [1, 1]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "message", "kind", "refusal"),
    [
        (
            400,
            "the input length exceeds the context length",
            FailureKind.REQUEST,
            Refusal.CONTEXT_WINDOW,
        ),
        (404, "model 'theirs' not found", FailureKind.MISSING, None),
        (500, "invalid JSON schema in format", FailureKind.REQUEST, None),
        (500, "llama runner process has terminated", FailureKind.FAILING, None),
        (503, "server busy, please try again.", FailureKind.FAILING, None),
    ],
)
async def test_ollamas_errors_are_understood(
    stream: bool,
    status: int,
    message: str,
    kind: FailureKind,
    refusal: Refusal | None,
) -> None:
    """Each error message of Ollama v0.17.4 gives its own kind of failure."""
    async with ollama(Wire(({"error": message},), status)) as made:
        failure = await made.failure(request({"stream": stream}))
        assert (failure.kind, failure.status, failure.refusal) == (kind, status, refusal)
        assert failure.message == message
        if refusal is not None:
            assert failure.error_code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (lines(part("A")), FailureKind.UNREACHABLE),
        (replace(lines(part("A")), cut=True), FailureKind.UNREACHABLE),
        (lines(part("A"), {"error": "no"}), FailureKind.FAILING),
        (lines(part("A"), {"x": 1}), FailureKind.FAILING),
    ],
    ids=["ended", "cut", "error", "nonsense"],
)
async def test_a_stream_that_breaks_is_a_failure(wire: Wire, kind: FailureKind) -> None:
    """A stream of Ollama's that breaks is a failure, and what came before is counted."""
    async with ollama(wire) as made:
        broken = await made.broken()
        assert text_of(broken.chunks) == "A"
        assert broken.failure.kind is kind
        assert broken.stream.usage.counted


async def test_an_answer_that_repeats_itself_is_cut_short_and_no_failure() -> None:
    """An answer that Ollama stops because it repeats itself ends with `length`, not a failure."""
    async with ollama(lines(*[part("ha ")] * 32)) as made:
        chunks, _ = await made.chunks()
        assert chunks[-1]["choices"][0]["finish_reason"] == "length"


async def test_counts_that_ollama_leaves_out_are_counted() -> None:
    """Where Ollama leaves out a count, the gateway counts the tokens itself."""

    async def count(*given: object) -> tuple[int, int]:
        return 5, len(str(given[2]))

    wire = Wire((part("Hallo", done=True, eval_count=2),))
    async with ollama(wire, count=count) as made:
        reply = await made.ask()
        assert (reply.usage.prompt, reply.usage.completion) == (5, 5)
        assert reply.usage.counted


async def test_embeddings_are_a_list() -> None:
    """Ollama's embeddings become a list, and input given as tokens is refused."""
    document = {"embeddings": [[0.5], [1.0]], "prompt_eval_count": 4}
    async with ollama(Wire((document,))) as made:
        asked = request({"input": ["a", "b"], "dimensions": 1}, Operation.EMBEDDING)
        reply = await made.ask(asked)
        assert made.server.asked[0].path == "/api/embed"
        assert made.server.asked[0].body == {
            "model": "theirs",
            "input": ["a", "b"],
            "truncate": False,
            "dimensions": 1,
        }
        assert reply.data is not None
        assert [each["embedding"] for each in reply.data["data"]] == [[0.5], [1.0]]
        assert reply.usage.prompt == 4
        tokens = request({"input": [[1, 2]]}, Operation.EMBEDDING)
        assert (await made.failure(tokens)).kind is FailureKind.REQUEST


async def test_a_completion_is_a_chat_of_one_message() -> None:
    """A completion is put to Ollama as a chat of one message and comes back as text."""
    async with ollama(PLAIN) as made:
        reply = await made.ask(request({"prompt": "Hi"}, Operation.COMPLETION))
        assert made.server.asked[0].body["messages"] == HI
        assert reply.data is not None
        assert reply.data["object"] == "text_completion"
        assert reply.data["choices"][0]["text"] == "Hallo"


async def test_what_ollama_does_not_do_is_refused() -> None:
    """An operation that Ollama lacks, such as speech, is the request's fault."""
    async with ollama(PLAIN) as made:
        failure = await made.failure(request({"input": "x"}, Operation.SPEECH))
        assert failure.kind is FailureKind.REQUEST

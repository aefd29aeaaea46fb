"""Plain answers of servers that speak OpenAI's protocol."""

from __future__ import annotations

import orjson
import pytest

from gateway.config.deployment import Deployment
from gateway.request import Operation, Request, UploadedFile, Usage
from gateway.routing.failure import FailureKind
from unit.providers.wire import CHAT, HI, MESSAGE, USAGE, Json, Wire, openai, request


def answer(message: Json, reason: str | None = "stop", **more: object) -> Wire:
    """Return a chat.completion with one message."""
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return Wire(({**CHAT, "choices": [choice], **more},))


async def test_a_request_goes_out_with_the_deployments_model_and_key() -> None:
    """A request goes out with the deployment's model and key, and the caller's other fields."""
    async with openai() as made:
        await made.ask(request({"temperature": 0.5, "unknown": 1}))
        asked = made.server.asked[0]
        assert asked.path == "/v1/chat/completions"
        assert asked.body == {
            "model": "theirs",
            "messages": HI,
            "temperature": 0.5,
            "unknown": 1,
        }
        assert asked.headers["authorization"] == "Bearer sk-theirs"
        assert asked.headers["x-client-request-id"] == "call-1"
        assert asked.headers["content-type"] == "application/json"


async def test_an_answer_comes_back_as_it_is() -> None:
    """An answer keeps fields that nobody knows, and its usage is read."""
    wire = Wire(({**CHAT, "service_tier": "x", "own": 1},), headers={"X-Request-Id": "r1"})
    async with openai(wire) as made:
        reply = await made.ask()
        assert reply.data == {**CHAT, "service_tier": "x", "own": 1}
        assert reply.usage == Usage(3, 2, raw=USAGE)
        assert reply.headers == {"x-request-id": "r1"}


async def test_a_request_is_not_changed() -> None:
    """Sending a request leaves it unchanged, as another deployment may get it afterwards."""
    async with openai(defaults={"extra_body": {"a": 1}}) as made:
        given = request({"max_tokens": None, "extra_body": {"b": 2}})
        before = orjson.dumps(given.body)
        await made.ask(given)
        assert orjson.dumps(given.body) == before
        assert made.server.asked[0].body == {
            "model": "theirs",
            "messages": HI,
            "a": 1,
            "b": 2,
        }


async def test_a_callers_value_is_put_over_the_configured_one() -> None:
    """A caller's value wins over the configured default."""
    async with openai(defaults={"temperature": 0.1, "top_p": 0.2}) as made:
        await made.ask(request({"temperature": 0.9}))
        body = made.server.asked[0].body
        assert (body["temperature"], body["top_p"]) == (0.9, 0.2)


async def test_extra_body_cannot_name_another_model() -> None:
    """A caller's extra_body cannot change the deployment's model or begin a stream."""
    async with openai() as made:
        await made.ask(request({"extra_body": {"model": "dear", "stream": True}}))
        body = made.server.asked[0].body
        assert (body["model"], body.get("stream")) == ("theirs", None)


@pytest.mark.parametrize(
    ("message", "reason", "expected"),
    [
        (MESSAGE, "eos", (None, "Hallo", "stop")),
        (MESSAGE, "max_tokens", (None, "Hallo", "length")),
        (MESSAGE, None, (None, "Hallo", "stop")),
        ({**MESSAGE, "reasoning": "hm"}, "stop", ("hm", "Hallo", "stop")),
        ({**MESSAGE, "content": "<think>hm</think>ja"}, "stop", ("hm", "ja", "stop")),
        (
            {**MESSAGE, "content": None, "tool_calls": [{"id": "t"}]},
            "stop",
            (None, None, "tool_calls"),
        ),
    ],
)
async def test_reasons_and_reasoning_are_named_as_litellm_names_them(
    message: Json, reason: str | None, expected: tuple[str | None, ...]
) -> None:
    """Finish reasons and reasoning get LiteLLM's names, whatever a server calls them."""
    async with openai(answer(message, reason)) as made:
        reply = await made.ask()
        assert reply.data is not None
        choice = reply.data["choices"][0]
        found = choice["message"]
        reasoning = found.get("reasoning_content")
        assert (reasoning, found["content"], choice["finish_reason"]) == expected


async def test_usage_that_is_not_reported_is_counted_and_marked() -> None:
    """Usage that is not reported is counted, marked as such, and shown to the caller."""

    async def count(_deployment: Deployment, _request: Request, text: str) -> tuple[int, int]:
        assert text == "Hallo"
        return 11, 4

    async with openai(answer(MESSAGE, usage=None), count=count) as made:
        reply = await made.ask()
        assert (reply.usage.prompt, reply.usage.completion) == (11, 4)
        assert reply.usage.counted
        assert reply.data is not None
        assert reply.data["usage"]["total_tokens"] == 15


async def test_a_count_that_fails_leaves_an_estimate() -> None:
    """An answer whose tokens cannot be counted gets an estimate."""

    async def count(*_: object) -> tuple[int, int]:
        raise ValueError("no tokenizer")

    async with openai(answer(MESSAGE, usage=None), count=count) as made:
        reply = await made.ask()
        assert reply.usage.counted
        assert (reply.usage.prompt, reply.usage.completion) == (1, 2)


async def test_speech_comes_back_as_bytes() -> None:
    """Speech comes back as bytes with the type that the provider gave it."""
    async with openai(Wire((b"\xff\xf3",), headers={"content-type": "audio/mpeg"})) as made:
        reply = await made.ask(request({"input": "Hi", "voice": "x"}, Operation.SPEECH))
        assert (reply.data, reply.content) == (None, b"\xff\xf3")
        assert reply.content_type == "audio/mpeg"
        assert made.server.asked[0].path == "/v1/audio/speech"


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
async def test_a_transcription_sends_its_file(kind: str) -> None:
    """A transcription sends its file in a form; JSON comes back as an object, text as bytes."""
    content = b'{"text":"Hallo"}' if "json" in kind else b"Hallo"
    async with openai(Wire((content,), headers={"content-type": kind})) as made:
        file = UploadedFile("file", 'a"b.wav', "audio/wav", b"RIFF")
        given = {"language": "de", "timestamp_granularities": ["word"]}
        reply = await made.ask(request(given, Operation.TRANSCRIPTION, files=(file,)))
        asked = made.server.asked[0]
        assert asked.headers["content-type"].startswith("multipart/form-data; boundary=")
        for part in (
            b'name="model"\r\n\r\ntheirs\r\n',
            b'name="language"\r\n\r\nde\r\n',
            b'name="timestamp_granularities[]"\r\n\r\nword\r\n',
            b'filename="a%22b.wav"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n',
        ):
            assert part in asked.content
        expected = ({"text": "Hallo"}, b"") if "json" in kind else (None, b"Hallo")
        assert (reply.data, reply.content) == expected


@pytest.mark.parametrize("model", ["text-embedding-3-small", "ada"])
async def test_dimensions_go_to_models_that_know_them(model: str) -> None:
    """Dimensions are sent only to embedding models that know them, as in LiteLLM."""
    document = {"object": "list", "data": [], "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    async with openai(Wire((document,)), model=model) as made:
        asked = request({"input": "Hi", "dimensions": 4}, Operation.EMBEDDING)
        reply = await made.ask(asked)
        assert reply.usage.prompt == 2
        assert ("dimensions" in made.server.asked[0].body) is (model != "ada")


async def test_an_embeddings_usage_has_no_answer() -> None:
    """The usage of embeddings shows 0 completion tokens, a count that OpenAI leaves out."""
    document = {"object": "list", "data": [], "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    async with openai(Wire((document,))) as made:
        reply = await made.ask(request({"input": "Hi"}, Operation.EMBEDDING))
        assert reply.data is not None
        assert reply.data["usage"] == {
            "prompt_tokens": 2,
            "completion_tokens": 0,
            "total_tokens": 2,
        }


@pytest.mark.parametrize(
    ("model", "role"), [("gpt-4o-mini", "system"), ("local", "system"), ("o3-mini", "developer")]
)
async def test_a_developer_is_the_system_to_all_but_openais_o_series(model: str, role: str) -> None:
    """The role `developer` becomes `system` for all but OpenAI's o-series, as in LiteLLM."""
    features = {"litellm_provider": "openai", "supports_system_messages": True}
    async with openai(model=model, features=features) as made:
        messages = [{"role": "developer", "content": "Be brief."}, *HI]
        await made.ask(request({"messages": messages}))
        assert [each["role"] for each in made.server.asked[0].body["messages"]] == [
            role,
            "user",
        ]


def test_cache_control_is_kept_from_openai_itself() -> None:
    """A cache_control is left out for OpenAI itself, and sent to other servers."""
    from gateway.config.deployment import Protocol
    from gateway.providers.openai_request import OpenAIEndpoint
    from unit.providers.wire import deployment

    marked = {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}
    given = request({"messages": [marked]})
    for base, is_kept in (("https://api.openai.com/v1", False), ("http://vllm/v1", True)):
        endpoint = OpenAIEndpoint(deployment(Protocol.OPENAI, base), Operation.CHAT)
        assert (b"cache_control" in endpoint.encode(endpoint.body(given))) is is_kept


async def test_a_connection_is_kept_for_the_next_request() -> None:
    """The connection of a plain answer is kept for the next request."""
    async with openai() as made:
        await made.ask()
        await made.ask()
        assert [each.connection for each in made.server.asked] == [1, 1]


async def test_a_request_that_a_kept_connection_took_is_not_sent_again() -> None:
    """A request that fails on a kept connection is not sent again, lest it be paid twice."""
    async with openai(Wire(), Wire(reset=True), Wire()) as made:
        await made.ask()
        assert (await made.failure()).kind is FailureKind.UNREACHABLE
        assert [each.connection for each in made.server.asked] == [1, 1]

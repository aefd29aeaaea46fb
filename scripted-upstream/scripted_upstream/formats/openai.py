"""OpenAI's API, which LM Studio, vLLM, llama.cpp, LocalAI and many more speak too.

https://platform.openai.com/docs/api-reference/chat
"""

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from scripted_upstream.exchange import (
    BadRequestError,
    Call,
    Chunk,
    Failure,
    Json,
    ParsedCall,
    Reply,
    Tool,
    Usage,
)
from scripted_upstream.formats.openai_choices import COMPLETION, choice, fragments
from scripted_upstream.reading import bearer, dig, need, stops, texts_in, wanted_tool
from scripted_upstream.script import Provider

_DONE = b"data: [DONE]\n\n"

# kind → type, code; https://platform.openai.com/docs/guides/error-codes
_ERRORS: dict[str, tuple[str, str | None]] = {
    "bad_request": ("invalid_request_error", None),
    "context_window": ("invalid_request_error", "context_length_exceeded"),
    "content_policy": ("invalid_request_error", "content_policy_violation"),
    "unauthorized": ("invalid_request_error", "invalid_api_key"),
    "forbidden": ("invalid_request_error", "unsupported_country_region_territory"),
    "not_found": ("invalid_request_error", "model_not_found"),
    "rate_limit": ("requests", "rate_limit_exceeded"),
    "quota": ("insufficient_quota", "insufficient_quota"),
    "server_error": ("server_error", None),
    "unavailable": ("service_unavailable_error", None),
}


class OpenAI:
    """Chat completions, completions, embeddings and the list of models."""

    provider: Provider = "openai"
    stream_type = "text/event-stream; charset=utf-8"
    broken = b'data: {"id": "chatcmpl-broken", "choices": [{"delta": {"cont\n\n'

    def knows(self, call: Call) -> bool:
        """Return whether the path is one of OpenAI's, with or without /v1 or a router's prefix."""
        return _topic(call) is not None

    def read(self, call: Call) -> ParsedCall:
        """Return what a request asks; raises BadRequestError."""
        topic = _topic(call)
        if topic == "models":
            return ParsedCall("free", topic="models")
        model = need(call.body, "model", str, "you must provide a model parameter")
        if topic == "embeddings":
            given = call.body.get("input")
            inputs = tuple([given] if isinstance(given, str) else map(str, given or []))
            topic = str(call.body.get("encoding_format", "float"))
            return ParsedCall("embedding", model, topic, prompt="\n".join(inputs), inputs=inputs)
        if topic == "completions":
            return _read_completion(call.body, model)
        return _read_chat(call.body, model)

    def document(self, ask: ParsedCall, reply: Reply) -> Json:
        """Return a chat.completion, a text_completion, a list of models or of embeddings."""
        if ask.operation == "free":
            return {"object": "list", "data": [_model(each) for each in reply.models]}
        if ask.operation == "embedding":
            return _embeddings(ask, reply)
        usage = {} if reply.usage is None else {"usage": _usage(reply.usage)}
        choices = [{**choice(ask, reply), "index": index} for index in range(ask.n)]
        return {**_head(ask, reply), "choices": choices, **usage}

    def stream(self, ask: ParsedCall, reply: Reply) -> Iterator[Chunk]:
        """Yield the chunks of each choice, the usage if it was asked for, and [DONE].

        A piece of each choice is one piece to the script.
        """
        head = _head(ask, reply, stream=True)
        for fragment, is_piece in fragments(ask, reply):
            for index in range(ask.n):
                event = _line({**head, "choices": [{**fragment, "index": index}]})
                yield Chunk(event, is_piece and index == 0)
        if ask.with_usage and reply.usage is not None:
            yield Chunk(_line({**head, "choices": [], "usage": _usage(reply.usage)}))
        yield Chunk(_DONE)

    def failure(self, failure: Failure) -> Json:
        """Return {"error": {message, type, param, code}}."""
        kind, code = _ERRORS[failure.kind]
        return {"error": {"message": failure.message, "type": kind, "param": None, "code": code}}

    def failure_chunk(self, failure: Failure) -> bytes:
        """Return an event that holds the error in place of a chunk."""
        return _line(self.failure(failure))

    def key(self, headers: Mapping[str, str]) -> str:
        """Return the bearer token."""
        return bearer(headers)


def _topic(call: Call) -> str | None:
    if call.method == "POST":
        if call.path.endswith("/chat/completions"):
            return "chat"
        topics = (COMPLETION, "embeddings")
        return next((each for each in topics if call.path.endswith(f"/{each}")), None)
    return "models" if call.method == "GET" and call.path.endswith("/models") else None


def _read_completion(body: Json, model: str) -> ParsedCall:
    given = body.get("prompt")
    prompts = given if isinstance(given, list) else [given]
    logprobs = body.get("logprobs")
    return ParsedCall(
        "chat",
        model,
        COMPLETION,
        stream=body.get("stream") is True,
        prompt="\n".join(map(str, prompts)),
        max_tokens=body.get("max_tokens"),
        stop=stops(body.get("stop")),
        n=body.get("n") or 1,
        logprobs=logprobs if isinstance(logprobs, int) else None,
        with_usage=dig(body, "stream_options", "include_usage") is True,
    )


def _read_chat(body: Json, model: str) -> ParsedCall:
    messages = need(body, "messages", list, "missing required parameter: 'messages'")
    if not all(isinstance(each, dict) and "role" in each for each in messages) or not messages:
        raise BadRequestError("invalid 'messages': expected a list of objects with a role")
    tools = tuple(
        Tool(str(dig(each, "function", "name")), dig(each, "function", "parameters") or {})
        for each in body.get("tools") or []
    )
    chosen = body.get("tool_choice")
    chosen = chosen if isinstance(chosen, str) else dig(chosen, "function", "name")
    return ParsedCall(
        "chat",
        model,
        stream=body.get("stream") is True,
        prompt="\n".join(texts_in(messages)),
        schema=_schema(body.get("response_format")),
        tools=tools,
        tool=wanted_tool(tools, chosen, after_result=messages[-1]["role"] == "tool"),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=stops(body.get("stop")),
        n=body.get("n") or 1,
        logprobs=body.get("top_logprobs") or 0 if body.get("logprobs") else None,
        with_usage=dig(body, "stream_options", "include_usage") is True,
    )


def _schema(response_format: object) -> Json | None:
    match dig(response_format, "type"):
        case "json_schema":
            return dig(response_format, "json_schema", "schema") or {}
        case "json_object":
            return {}
        case _:
            return None


def _head(ask: ParsedCall, reply: Reply, *, stream: bool = False) -> Json:
    is_text = ask.topic == COMPLETION
    kind = "text_completion" if is_text else "chat.completion"
    return {
        "id": f"{'cmpl' if is_text else 'chatcmpl'}-{reply.number:08}",
        "object": f"{kind}.chunk" if stream and not is_text else kind,
        "created": reply.created,
        "model": reply.model,
        "system_fingerprint": "fp_scripted",
    }


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    }


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "script"}


def _embeddings(ask: ParsedCall, reply: Reply) -> Json:
    def shown(vector: tuple[float, ...]) -> Any:
        packed = struct.pack(f"<{len(vector)}f", *vector)
        return base64.b64encode(packed).decode() if ask.topic == "base64" else list(vector)

    data = [
        {"object": "embedding", "index": index, "embedding": shown(vector)}
        for index, vector in enumerate(reply.vectors)
    ]
    tokens = reply.usage.input if reply.usage else 0
    usage = {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}} if reply.usage else {}
    return {"object": "list", "data": data, "model": reply.model, **usage}


def _line(document: Json) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"

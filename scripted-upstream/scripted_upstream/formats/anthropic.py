"""Anthropic's Messages API.

https://docs.anthropic.com/en/api/messages and …/messages-streaming; structured answers come as
output_format (or output_config.format), or as the tool that LiteLLM names json_tool_call.
"""

import json
from collections.abc import Iterator, Mapping

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
from scripted_upstream.reading import bearer, dig, need, stops, texts_in, wanted_tool
from scripted_upstream.script import Provider

_FINISH = {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use"}
_STRUCTURED = "json_tool_call"

# https://docs.anthropic.com/en/api/errors
_ERRORS = {
    "bad_request": "invalid_request_error",
    "context_window": "invalid_request_error",
    "content_policy": "invalid_request_error",
    "unauthorized": "authentication_error",
    "forbidden": "permission_error",
    "not_found": "not_found_error",
    "rate_limit": "rate_limit_error",
    "quota": "invalid_request_error",
    "server_error": "api_error",
    "unavailable": "overloaded_error",
}


class Anthropic:
    """Messages, their token count, and the list of models."""

    provider: Provider = "anthropic"
    stream_type = "text/event-stream; charset=utf-8"
    broken = b'event: content_block_delta\ndata: {"type": "content_block_delta", "del\n\n'

    def knows(self, call: Call) -> bool:
        """Return whether the path is one of Anthropic's; /v1/models is by its version header."""
        if call.method == "GET":
            return call.path.endswith("/v1/models") and "anthropic-version" in call.headers
        return call.path.endswith(("/v1/messages", "/v1/messages/count_tokens"))

    def read(self, call: Call) -> ParsedCall:
        """Return what a request asks; raises BadRequestError for what Anthropic insists on."""
        if call.method == "GET":
            return ParsedCall("free", topic="models")
        if "anthropic-version" not in call.headers:
            raise BadRequestError("anthropic-version: header is required")
        body = call.body
        model = need(body, "model", str, "model: Field required")
        messages = need(body, "messages", list, "messages: Field required")
        for each in messages:
            if dig(each, "role") not in {"user", "assistant"}:
                raise BadRequestError(f"messages: Unexpected role {dig(each, 'role')!r}")
        prompt = "\n".join([*texts_in(body.get("system")), *texts_in(messages)])
        if call.path.endswith("/count_tokens"):
            return ParsedCall("free", model, "count_tokens", prompt=prompt)
        tools = tuple(
            Tool(each["name"], each.get("input_schema", {}), each["name"] == _STRUCTURED)
            for each in body.get("tools") or []
            if "name" in each
        )
        return ParsedCall(
            "chat",
            model,
            stream=body.get("stream") is True,
            prompt=prompt,
            schema=_schema(body),
            tools=tools,
            tool=wanted_tool(tools, _choice(body), after_result=_after_result(messages)),
            max_tokens=need(body, "max_tokens", int, "max_tokens: Field required"),
            stop=stops(body.get("stop_sequences")),
        )

    def document(self, ask: ParsedCall, reply: Reply) -> Json:
        """Return a message, a list of models or a token count."""
        if ask.topic == "count_tokens":
            return {"input_tokens": max(1, -(-len(ask.prompt) // 4))}
        if ask.operation == "free":
            return {"data": [_model(each) for each in reply.models], "has_more": False}
        block: Json = {"type": "text", "text": reply.text}
        if reply.tool is not None:
            block = {**_tool_use(reply), "input": _object(reply.text)}
        usage = {} if reply.usage is None else {"usage": _usage(reply.usage)}
        content = [block] if reply.pieces else []
        return {**_head(reply), "content": content, "stop_reason": _FINISH[reply.finish], **usage}

    def stream(self, ask: ParsedCall, reply: Reply) -> Iterator[Chunk]:  # noqa: ARG002 -- one of five
        """Yield message_start … message_stop."""
        start = {**_head(reply), "content": [], "stop_reason": None}
        end: Json = {"delta": {"stop_reason": _FINISH[reply.finish], "stop_sequence": None}}
        if reply.usage is not None:
            start["usage"] = _usage(reply.usage) | {"output_tokens": min(1, reply.usage.output)}
            end["usage"] = {"output_tokens": reply.usage.output}
        yield _event("message_start", message=start)
        yield _event("ping")
        if reply.pieces:
            block = _tool_use(reply) if reply.tool else {"type": "text", "text": ""}
            yield _event("content_block_start", index=0, content_block=block)
        for piece in reply.pieces:
            delta = {"type": "text_delta", "text": piece}
            if reply.tool:
                delta = {"type": "input_json_delta", "partial_json": piece}
            yield Chunk(_event("content_block_delta", index=0, delta=delta).data, piece=True)
        if reply.pieces:
            yield _event("content_block_stop", index=0)
        yield _event("message_delta", **end)
        yield _event("message_stop")

    def failure(self, failure: Failure) -> Json:
        """Return {"type": "error", "error": {type, message}}."""
        error = {"type": _ERRORS[failure.kind], "message": failure.message}
        return {"type": "error", "error": error}

    def failure_chunk(self, failure: Failure) -> bytes:
        """Return an `error` event."""
        return _event("error", error=self.failure(failure)["error"]).data

    def key(self, headers: Mapping[str, str]) -> str:
        """Return x-api-key, or the bearer token of an OAuth login."""
        return headers.get("x-api-key") or bearer(headers)


def _schema(body: Json) -> Json | None:
    wanted = body.get("output_format") or dig(body, "output_config", "format")
    return dig(wanted, "schema") if dig(wanted, "type") == "json_schema" else None


def _choice(body: Json) -> str | None:
    match dig(body, "tool_choice", "type"):
        case "tool":
            name: str | None = dig(body, "tool_choice", "name")
            return name
        case "any":
            return "required"
        case "none":
            return "none"
        case _:
            return None


def _after_result(messages: list[Json]) -> bool:
    content = messages[-1].get("content") if messages else None
    return isinstance(content, list) and any(dig(e, "type") == "tool_result" for e in content)


def _head(reply: Reply) -> Json:
    return {
        "id": f"msg_{reply.number:08}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "stop_sequence": None,
    }


def _tool_use(reply: Reply) -> Json:
    return {"type": "tool_use", "id": f"toolu_{reply.number:08}", "name": reply.tool, "input": {}}


def _object(text: str) -> object:
    """Return the arguments; those that are broken on purpose as far as this form can hold them."""
    try:
        return json.loads(text)
    except ValueError:
        return {"text": text}


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input - usage.cached,  # Anthropic counts cached tokens separately
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    }


def _model(name: str) -> Json:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2025-01-01T00:00:00Z",
    }


def _event(kind: str, **fields: object) -> Chunk:
    document = json.dumps({"type": kind, **fields}, ensure_ascii=False)
    return Chunk(f"event: {kind}\ndata: {document}\n\n".encode())

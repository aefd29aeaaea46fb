"""Ollama's own API: chat, generate, and what a client asks before it does.

https://github.com/ollama/ollama/blob/main/docs/api.md; streams are on unless switched off.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from scripted_upstream.exchange import Call, Chunk, Failure, Json, ParsedCall, Reply, Tool
from scripted_upstream.reading import bearer, dig, need, stops, texts_in, wanted_tool
from scripted_upstream.script import Provider

VERSION = "0.17.4"
_FINISH = {"stop": "stop", "length": "length", "tool": "stop"}
_FREE = {
    ("GET", "/api/tags"),
    ("GET", "/api/version"),
    ("GET", "/api/ps"),
    ("POST", "/api/show"),
    ("POST", "/api/pull"),
}
_MODEL = {"/api/chat", "/api/generate", "/api/embed", "/api/embeddings"}
_SIZE = 2_019_393_189
_NANOSECONDS_A_TOKEN = 10_000_000


class Ollama:
    """The endpoints of Ollama that a gateway or its user calls."""

    provider: Provider = "ollama"
    stream_type = "application/x-ndjson"
    broken = b'{"model": "broken", "message": {"role": "assistant", "cont\n'

    def knows(self, call: Call) -> bool:
        """Return whether the path is one of Ollama's."""
        return (call.method, call.path) in _FREE or (call.method == "POST" and call.path in _MODEL)

    def read(self, call: Call) -> ParsedCall:
        """Return what a request asks; raises BadRequestError."""
        body, topic = call.body, call.path.removeprefix("/api").strip("/")
        if call.method == "GET":
            return ParsedCall("free", topic=topic)
        model = need(body, "model" if "model" in body else "name", str, "model is required")
        stream = body.get("stream", True) is True
        if topic in {"show", "pull"}:
            return ParsedCall("free", model, topic, stream=stream and topic == "pull")
        if topic.startswith("embed"):
            texts = body.get("input", body.get("prompt"))
            inputs = tuple([texts] if isinstance(texts, str) else texts or [])
            return ParsedCall("embedding", model, topic, prompt="\n".join(inputs), inputs=inputs)
        limit = dig(body, "options", "num_predict")
        given = body.get("format")
        asked = ParsedCall(
            "generate",
            model,
            topic,
            stream=stream,
            prompt="\n".join([*texts_in(body.get("system")), *texts_in(body.get("prompt"))]),
            schema=given if isinstance(given, dict) else {} if given == "json" else None,
            max_tokens=limit if isinstance(limit, int) and limit > 0 else None,
            stop=stops(dig(body, "options", "stop")),
        )
        return asked if topic == "generate" else _chat(asked, body)

    def document(self, ask: ParsedCall, reply: Reply) -> Json:
        """Return a whole answer, embeddings, or what a free endpoint tells."""
        if ask.operation == "free":
            return _free(ask, reply)
        if ask.operation == "embedding":
            return _embeddings(ask, reply)
        return {**_line_head(reply), **_content(ask, reply, reply.text), **_end(reply)}

    def stream(self, ask: ParsedCall, reply: Reply) -> Iterator[Chunk]:
        """Yield a JSON object a line; the last one has the counts.

        A tool call is one piece: Ollama does not take its arguments apart.
        """
        if ask.topic == "pull":
            yield from map(_chunk, _pull())
            return
        for piece in [reply.text] if reply.tool else reply.pieces:
            line = {**_line_head(reply), **_content(ask, reply, piece), "done": False}
            yield Chunk(_chunk(line).data, piece=True)
        yield _chunk({**_line_head(reply), **_content(ask, None, ""), **_end(reply)})

    def failure(self, failure: Failure) -> Json:
        """Return {"error": message}."""
        return {"error": failure.message}

    def failure_chunk(self, failure: Failure) -> bytes:
        """Return a line that holds the error."""
        return _chunk(self.failure(failure)).data

    def key(self, headers: Mapping[str, str]) -> str:
        """Return the bearer token: Ollama has none, a proxy before it may."""
        return bearer(headers)


def _chat(asked: ParsedCall, body: Json) -> ParsedCall:
    messages = need(body, "messages", list, "messages is required")
    tools = tuple(
        Tool(str(dig(each, "function", "name")), dig(each, "function", "parameters") or {})
        for each in body.get("tools") or []
    )
    after_result = bool(messages) and dig(messages[-1], "role") == "tool"
    return replace(
        asked,
        operation="chat",
        prompt="\n".join(texts_in(messages)),
        tools=tools,
        tool=wanted_tool(tools, None, after_result=after_result),
    )


def _line_head(reply: Reply) -> Json:
    when = datetime.fromtimestamp(reply.created, UTC)
    return {"model": reply.model, "created_at": when.strftime("%Y-%m-%dT%H:%M:%S.000000Z")}


def _content(ask: ParsedCall, reply: Reply | None, text: str) -> Json:
    if ask.operation == "generate":
        return {"response": text}
    if reply is None or reply.tool is None:
        return {"message": {"role": "assistant", "content": text}}
    try:
        arguments = json.loads(text)
    except ValueError:
        arguments = {"text": text}
    call = {"function": {"name": reply.tool, "arguments": arguments}}
    return {"message": {"role": "assistant", "content": "", "tool_calls": [call]}}


def _end(reply: Reply) -> Json:
    end: Json = {"done": True, "done_reason": _FINISH[reply.finish]}
    if reply.usage is None:
        return end
    spent = reply.usage.output * _NANOSECONDS_A_TOKEN
    return end | {
        "total_duration": spent + 2 * _NANOSECONDS_A_TOKEN,
        "load_duration": _NANOSECONDS_A_TOKEN,
        "prompt_eval_count": reply.usage.input,
        "prompt_eval_duration": _NANOSECONDS_A_TOKEN,
        "eval_count": reply.usage.output,
        "eval_duration": spent,
    }


def _free(ask: ParsedCall, reply: Reply) -> Json:
    match ask.topic:
        case "version":
            return {"version": VERSION}
        case "tags" | "ps":
            return {"models": [_model(each) for each in reply.models]}
        case "show":
            return {
                "modelfile": f"FROM {ask.model}\n",
                "template": "{{ .Prompt }}",
                "details": _DETAILS,
                "model_info": {"general.architecture": "llama", "llama.context_length": 131_072},
                "capabilities": ["completion", "tools"],
            }
        case _:
            return {"status": "success"}


_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "3.2B",
    "quantization_level": "Q4_K_M",
}


def _model(name: str) -> Json:
    full = name if ":" in name else f"{name}:latest"
    return {
        "name": full,
        "model": full,
        "modified_at": "2025-01-01T00:00:00Z",
        "expires_at": "2318-01-01T00:00:00Z",
        "size": _SIZE,
        "size_vram": _SIZE,
        "digest": hashlib.sha256(full.encode()).hexdigest(),
        "details": _DETAILS,
    }


def _pull() -> Iterator[Json]:
    layer = {"digest": "sha256:" + "0" * 64, "total": _SIZE}
    yield {"status": "pulling manifest"}
    for percent in (0, 50, 100):
        yield {"status": "pulling 000000000000", **layer, "completed": _SIZE * percent // 100}
    yield {"status": "success"}


def _embeddings(ask: ParsedCall, reply: Reply) -> Json:
    vectors = [list(each) for each in reply.vectors]
    if ask.topic == "embeddings":
        return {"embedding": vectors[0] if vectors else []}
    counts = {} if reply.usage is None else {"prompt_eval_count": reply.usage.input}
    return {"model": reply.model, "embeddings": vectors, "total_duration": 1, **counts}


def _chunk(document: Json) -> Chunk:
    return Chunk(json.dumps(document, ensure_ascii=False).encode() + b"\n")

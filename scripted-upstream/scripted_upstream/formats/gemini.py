"""Google AI Studio's Gemini API.

https://ai.google.dev/api/generate-content. LiteLLM sends v1beta, v1alpha for Gemini 3, and no
version at all after an api_base; the key is the header x-goog-api-key.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripted_upstream.exchange import Call, Chunk, Failure, Json, ParsedCall, Reply, Tool, Usage
from scripted_upstream.reading import dig, need, stops, texts_in, wanted_tool
from scripted_upstream.script import Provider

_METHOD = re.compile(r"/models/(?P<model>.+):(?P<method>\w+)$")
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tool": "STOP"}
_METHODS = {
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
}

# kind → status; https://ai.google.dev/gemini-api/docs/troubleshooting
_ERRORS = {
    "bad_request": "INVALID_ARGUMENT",
    "context_window": "INVALID_ARGUMENT",
    "content_policy": "INVALID_ARGUMENT",
    "unauthorized": "UNAUTHENTICATED",
    "forbidden": "PERMISSION_DENIED",
    "not_found": "NOT_FOUND",
    "rate_limit": "RESOURCE_EXHAUSTED",
    "quota": "RESOURCE_EXHAUSTED",
    "server_error": "INTERNAL",
    "unavailable": "UNAVAILABLE",
}


class Gemini:
    """generateContent, streamed or not, embeddings, token counts and the list of models."""

    provider: Provider = "gemini"
    stream_type = "text/event-stream"
    broken = b'data: {"candidates": [{"content": {"parts": [{"te\r\n\r\n'

    def knows(self, call: Call) -> bool:
        """Return whether the path is one of Gemini's."""
        if call.method == "GET":
            return call.path.endswith(("/v1beta/models", "/v1alpha/models"))
        found = _METHOD.search(call.path)
        return found is not None and found["method"] in _METHODS

    def read(self, call: Call) -> ParsedCall:
        """Return what a request asks; raises BadRequestError."""
        found = _METHOD.search(call.path)
        if found is None:
            return ParsedCall("free", topic="models")
        model, method = found["model"], found["method"]
        if "mbed" in method:
            several = [dig(each, "content") for each in call.body.get("requests", [])]
            given = several if method == "batchEmbedContents" else [call.body.get("content")]
            inputs = tuple("\n".join(texts_in(each)) for each in given)
            return ParsedCall("embedding", model, method, prompt="\n".join(inputs), inputs=inputs)
        contents = need(call.body, "contents", list, "* GenerateContentRequest.contents: not given")
        system = _either(call.body, "systemInstruction", "system_instruction")
        prompt = "\n".join([*texts_in(system), *texts_in(contents)])
        if method == "countTokens":
            return ParsedCall("free", model, method, prompt=prompt)
        config = _either(call.body, "generationConfig", "generation_config") or {}
        tools = tuple(_tools(call.body))
        return ParsedCall(
            "chat",
            model,
            stream=method == "streamGenerateContent",
            prompt=prompt,
            schema=_schema(config),
            tools=tools,
            tool=wanted_tool(tools, _choice(call.body), after_result=_after_result(contents)),
            max_tokens=_either(config, "maxOutputTokens", "max_output_tokens"),
            stop=stops(_either(config, "stopSequences", "stop_sequences")),
        )

    def document(self, ask: ParsedCall, reply: Reply) -> Json:
        """Return a GenerateContentResponse, embeddings, a count or a list of models."""
        if ask.topic == "countTokens":
            return {"totalTokens": max(1, -(-len(ask.prompt) // 4))}
        if ask.operation == "free":
            return {"models": [_model(each) for each in reply.models]}
        if ask.operation == "embedding":
            values = [{"values": list(each)} for each in reply.vectors]
            return (
                {"embedding": values[0]} if ask.topic == "embedContent" else {"embeddings": values}
            )
        part = _call(reply) if reply.tool else {"text": reply.text}
        return _response(reply, [part] if reply.pieces else [], finish=True)

    def stream(self, ask: ParsedCall, reply: Reply) -> Iterator[Chunk]:  # noqa: ARG002 -- one of five
        """Yield GenerateContentResponses; the last one has finish reason and usage.

        A function call is one piece: Gemini does not take its arguments apart.
        """
        parts = [_call(reply)] if reply.tool else [{"text": each} for each in reply.pieces]
        for part in parts[:-1]:
            yield Chunk(_line(_response(reply, [part], finish=False)), piece=True)
        yield Chunk(_line(_response(reply, parts[-1:], finish=True)), piece=bool(parts))

    def failure(self, failure: Failure) -> Json:
        """Return {"error": {code, message, status}}."""
        status = _ERRORS[failure.kind]
        return {"error": {"code": failure.status, "message": failure.message, "status": status}}

    def failure_chunk(self, failure: Failure) -> bytes:
        """Return an event that holds the error in place of a response."""
        return _line(self.failure(failure))

    def key(self, headers: Mapping[str, str]) -> str:
        """Return x-goog-api-key."""
        return headers.get("x-goog-api-key", "")


def _either(body: Json, *names: str) -> Any:
    """Return a field by its camelCase or its snake_case name: protobuf takes both."""
    return next((body[name] for name in names if name in body), None)


def _schema(config: Json) -> Json | None:
    given: Json | None = _either(
        config, "responseJsonSchema", "response_json_schema", "responseSchema", "response_schema"
    )
    # Gemini 3 in LiteLLM: {"responseFormat": {"text": {"mimeType", "schema"}}}
    newer = dig(_either(config, "responseFormat", "response_format"), "text")
    if given is None and newer is not None:
        given = dig(newer, "schema") or {}
    kind = _either(config, "responseMimeType", "response_mime_type")
    return {} if given is None and kind == "application/json" else given


def _tools(body: Json) -> Iterator[Tool]:
    for group in body.get("tools") or []:
        declared = _either(group, "functionDeclarations", "function_declarations") or []
        for each in declared:
            schema = _either(each, "parametersJsonSchema", "parameters") or {}
            yield Tool(str(dig(each, "name")), schema)


def _choice(body: Json) -> str | None:
    config = _either(body, "toolConfig", "tool_config") or {}
    calling = _either(config, "functionCallingConfig", "function_calling_config") or {}
    names = _either(calling, "allowedFunctionNames", "allowed_function_names") or ["required"]
    mode = str(calling.get("mode"))
    return {"ANY": names[0], "NONE": "none"}.get(mode)


def _after_result(contents: list[Json]) -> bool:
    parts = contents[-1].get("parts", []) if contents else []
    return any("functionResponse" in part or "function_response" in part for part in parts)


def _call(reply: Reply) -> Json:
    try:
        arguments = json.loads(reply.text)
    except ValueError:
        arguments = {"text": reply.text}
    return {"functionCall": {"name": reply.tool, "args": arguments}}


def _response(reply: Reply, parts: list[Json], *, finish: bool) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = _FINISH[reply.finish]
    usage = {} if reply.usage is None or not finish else {"usageMetadata": _usage(reply.usage)}
    identity = {"modelVersion": reply.model, "responseId": f"response-{reply.number:08}"}
    return {"candidates": [candidate], **usage, **identity}


def _usage(usage: Usage) -> Json:
    document: Json = {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output - usage.reasoning,
        "totalTokenCount": usage.input + usage.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.input}],
    }
    if usage.cached:
        document["cachedContentTokenCount"] = usage.cached
        document["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": usage.cached}]
    if usage.reasoning:
        document["thoughtsTokenCount"] = usage.reasoning
    return document


def _model(name: str) -> Json:
    methods = ["generateContent", "countTokens"]
    return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods}


def _line(document: Json) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\r\n\r\n"

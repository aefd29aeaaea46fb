"""What is sent to Ollama: OpenAI's requests in its own API's form.

https://github.com/ollama/ollama/blob/v0.17.4/docs/api.md, api/types.go. Where LiteLLM 1.106.2
(llms/ollama/chat/transformation.py) does it in another way on purpose, this does as LiteLLM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from gateway.providers.failures import refused
from gateway.providers.parameters import rules_for
from gateway.providers.target import Target
from gateway.request import Operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.deployment import Deployment
    from gateway.request import Request

OLLAMA = "http://localhost:11434"
PATHS = {
    Operation.CHAT: "/api/chat",
    Operation.COMPLETION: "/api/chat",  # as LiteLLM: the prompt is a user's message
    Operation.EMBEDDING: "/api/embed",
}

OPTIONS = {
    "max_tokens": "num_predict",
    "max_completion_tokens": "num_predict",
    **{
        name: name
        for name in (
            *("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty"),
            *("top_k", "min_p", "typical_p", "repeat_last_n", "repeat_penalty", "num_keep"),
        )
    },
}
"""Field of a request → option of Ollama."""

CONFIGURED_OPTIONS = frozenset(
    {"num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "num_predict"}
    | {"mirostat", "mirostat_eta", "mirostat_tau", "tfs_z"}
)
"""Taken from the configuration only: a caller that changes one makes Ollama load the model again,
for everybody."""

EFFORTS = frozenset({"low", "medium", "high"})

Body = dict[str, Any]


class OllamaEndpoint:
    """One deployment's endpoint for one kind of call.

    Attributes:
        deployment: whose it is.
        target: where it is.
    """

    __slots__ = ("_defaults", "_options", "_rules", "_settings", "deployment", "target")

    def __init__(self, deployment: Deployment, operation: Operation) -> None:
        self.deployment = deployment
        base = (deployment.base or OLLAMA).removesuffix("/api/chat").removesuffix("/api/embed")
        headers = {"Content-Type": "application/json"}
        if deployment.key:
            headers["Authorization"] = f"Bearer {deployment.key}"
        headers.update(deployment.headers)
        self.target = Target.at(base + PATHS[operation], headers)
        self._defaults = dict(deployment.defaults)
        extra = self._defaults.pop("extra_body", None)
        self._defaults.update(extra if isinstance(extra, dict) else {})
        self._rules = rules_for(
            deployment, Operation.CHAT if operation is Operation.COMPLETION else operation
        )
        self._options = {
            name: value for name, value in self._defaults.items() if name in CONFIGURED_OPTIONS
        }
        given = self._defaults.get("options")
        self._options.update(given if isinstance(given, dict) else {})
        self._settings = {
            name: self._defaults[name] for name in ("keep_alive",) if name in self._defaults
        }

    def body(self, request: Request) -> Body:
        """Return the body of a request to it.

        Raises:
            AttemptFailedError: Ollama cannot take it.
        """
        asked = {
            name: value
            for name, value in {**self._defaults, **request.body}.items()
            if value is not None
        }
        if self._rules is not None:
            self._rules.apply(asked)
        if request.operation is Operation.EMBEDDING:
            return self._embedding(asked)
        body: Body = {
            "model": self.deployment.model,
            "messages": _messages(asked, request.operation),
            "stream": request.stream,
            # A prompt that does not fit is an error, never cut: server/routes.go:2215 and 2298.
            "truncate": False,
            "shift": False,
            "options": self._asked_options(asked),
            **self._settings,
        }
        _add_form(body, asked)
        _add_tools(body, asked)
        _add_thinking(body, asked, self.deployment.model)
        if asked.get("logprobs") and request.operation is Operation.CHAT:
            body["logprobs"] = True
            body["top_logprobs"] = asked.get("top_logprobs") or 0
        return body

    def _embedding(self, asked: Mapping[str, Any]) -> Body:
        texts = asked.get("input")
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
            raise refused("this model takes texts, not tokens", "input")
        body: Body = {
            "model": self.deployment.model,
            "input": texts,
            "truncate": False,
            **self._settings,
        }
        if self._options:
            body["options"] = self._options
        if "dimensions" in asked:
            body["dimensions"] = asked["dimensions"]
        return body

    def _asked_options(self, asked: Mapping[str, Any]) -> Body:
        options = dict(self._options)
        for name, option in OPTIONS.items():
            if name in asked:
                options[option] = asked[name]
        stop = asked.get("stop")
        if stop:
            options["stop"] = [stop] if isinstance(stop, str) else stop
        return options


def _messages(asked: Mapping[str, Any], operation: Operation) -> list[Body]:
    if operation is Operation.COMPLETION:
        return [{"role": "user", "content": _prompt(asked.get("prompt"))}]
    return [_message(each) for each in asked.get("messages") or ()]


def _prompt(prompt: object) -> str:
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise refused("this model takes one text as a prompt", "prompt")
    return prompt


def _message(message: Mapping[str, Any]) -> Body:
    role = message.get("role")
    content = message.get("content")
    ours: Body = {"role": "system" if role == "developer" else role, "content": content or ""}
    if isinstance(content, list):
        ours["content"] = "".join(part.get("text") or "" for part in content)
        images = [_image(part["image_url"]) for part in content if part.get("image_url")]
        if images:
            ours["images"] = images
    reasoning = message.get("reasoning_content")
    if isinstance(reasoning, str):
        ours["thinking"] = reasoning
    calls = message.get("tool_calls")
    if calls:
        ours["tool_calls"] = [_tool_call(call) for call in calls]
    if message.get("tool_call_id"):
        ours["tool_call_id"] = message["tool_call_id"]
    if role == "tool" and message.get("name"):
        ours["tool_name"] = message["name"]
    return ours


def _image(given: object) -> str:
    """Return an image's base64, all that Ollama takes: it fetches nothing."""
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str):
        raise refused("an image_url has no url", "messages")
    if not url.startswith("data:"):
        if "://" in url:
            raise refused("this model takes images as data: URLs only", "messages")
        return url
    return url.partition(",")[2]


def _tool_call(call: Mapping[str, Any]) -> Body:
    function = call.get("function") or {}
    try:
        arguments = orjson.loads(function.get("arguments") or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise refused("the arguments of a tool call are no JSON object", "messages")
    ours: Body = {"function": {"name": function.get("name") or "", "arguments": arguments}}
    if isinstance(call.get("id"), str):
        ours["id"] = call["id"]
    return ours


def _add_form(body: Body, asked: Mapping[str, Any]) -> None:
    form = asked.get("response_format")
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "json_object":
        body["format"] = "json"
    elif kind == "json_schema":
        wrapper = form.get("json_schema") if isinstance(form, dict) else None
        schema = wrapper.get("schema") if isinstance(wrapper, dict) else None
        if schema:
            body["format"] = schema


def _add_tools(body: Body, asked: Mapping[str, Any]) -> None:
    if asked.get("tool_choice") == "none":
        return
    functions = asked.get("functions")
    if asked.get("tools"):
        body["tools"] = asked["tools"]
    elif functions:
        body["tools"] = [{"type": "function", "function": each} for each in functions]


def _add_thinking(body: Body, asked: Mapping[str, Any], model: str) -> None:
    effort = asked.get("reasoning_effort")
    if isinstance(effort, str):
        # Only gpt-oss knows how hard to think; for others it is on or off.
        body["think"] = effort if model.startswith("gpt-oss") else effort in EFFORTS
    elif isinstance(asked.get("think"), (bool, str)):
        body["think"] = asked["think"]

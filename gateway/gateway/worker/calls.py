"""Calls of LiteLLM's public functions, with everything off that the gateway does itself.

Importing this module imports LiteLLM: 4 s and 170 MB. The environment that keeps LiteLLM from
calling home (proxy/configuration.py, NO_CALLS_HOME) has to be set before.
"""

from __future__ import annotations

import io
from datetime import datetime
from typing import TYPE_CHECKING, Any

import litellm
from litellm.litellm_core_utils.litellm_logging import Logging

from gateway.providers.http_client import CLIENT_REQUEST_ID
from gateway.request import Operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.worker.wire import WorkerCall

NOT_FOR_THE_LIBRARY = frozenset(
    {"rpm", "tpm", "weight", "order", "tags", "timeout", "stream_timeout", "max_retries"}
    | {"num_retries", "max_parallel_requests", "max_budget", "budget_duration", "model_info"}
    | {"fallbacks", "cooldown_time", "drop_params", "default_api_key_rpm_limit"}
)
"""Parameters of a deployment that are the gateway's business; prices are left out besides, because
LiteLLM would register the model at every call."""

TAKE_HEADERS = frozenset({Operation.CHAT, Operation.EMBEDDING, Operation.COMPLETION})
"""Operations that hand `extra_headers` on to every provider."""

THOUGHT_SIGNATURE = "__thought__"
"""Gemini's, which LiteLLM writes into ids of tool calls and takes out again for other models."""

CALL_TYPES = {
    Operation.CHAT: "acompletion",
    Operation.COMPLETION: "atext_completion",
    Operation.EMBEDDING: "aembedding",
}


class QuietLogging(Logging):  # type: ignore[misc] # LiteLLM is not typed
    """A call's logging object that logs nothing.

    LiteLLM takes it as `litellm_logging_obj`, and makes one itself where there is none. Without a
    callback it builds its log record nevertheless. A plain call gets somewhat cheaper without, a
    stream does not measurably (tests/bench/worker_cpu.py).
    """

    def success_handler(self, *_: object, **__: object) -> None:
        """Log nothing."""

    def failure_handler(self, *_: object, **__: object) -> None:
        """Log nothing."""

    async def async_success_handler(self, *_: object, **__: object) -> None:
        """Log nothing."""

    async def async_failure_handler(self, *_: object, **__: object) -> None:
        """Log nothing."""

    async def dispatch_success_handlers(self, *_: object, **__: object) -> None:
        """Log nothing."""

    async def dispatch_failure_handlers(self, *_: object, **__: object) -> None:
        """Log nothing."""

    def handle_sync_success_callbacks_for_async_calls(self, *_: object, **__: object) -> None:
        """Log nothing."""


def turn_everything_off() -> None:
    """Let LiteLLM retry, cache, count, log and send nothing."""
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.num_retries = 0
    litellm.disable_hf_tokenizer_download = True
    litellm.disable_streaming_logging = True
    litellm.callbacks = []
    litellm.success_callback = []
    litellm.failure_callback = []


async def call(ask: WorkerCall, files: Mapping[str, tuple[str, bytes, str]]) -> Any:  # noqa: ANN401 -- LiteLLM's
    """Return LiteLLM's answer.

    Args:
        ask: what is asked; its timeouts are the caller's to enforce, for all of a call.
        files: field → name, content, type.

    Raises:
        Exception: whatever LiteLLM raises.
    """
    function = getattr(litellm, ask.operation.call_type)
    return await function(**_keywords(ask, files))


def _keywords(ask: WorkerCall, files: Mapping[str, tuple[str, bytes, str]]) -> dict[str, Any]:
    keywords = {
        name: value
        for name, value in ask.parameters.items()
        if name not in NOT_FOR_THE_LIBRARY and "cost_per" not in name
    }
    keywords.update(ask.arguments)
    keywords.update(
        drop_params=bool(ask.parameters.get("drop_params", True)),
        timeout=ask.answer,
        max_retries=0,
        num_retries=0,
        litellm_call_id=ask.id,
    )
    if ask.operation in TAKE_HEADERS:
        given = keywords.get("extra_headers") or {}
        keywords["extra_headers"] = {**given, CLIENT_REQUEST_ID: ask.request_id}
    if ask.stream:
        keywords.update(stream=True, stream_options={"include_usage": True})
    if ask.operation is Operation.COMPLETION:
        keywords.setdefault("prompt", "")
    for field, (name, content, content_type) in files.items():
        file = io.BytesIO(content)
        file.name = name
        keywords[field] = (name, file, content_type) if content_type else file
    if ask.operation in CALL_TYPES and not _has_thought_signature(ask):
        keywords["litellm_logging_obj"] = _quiet(ask, keywords)
    return keywords


def _quiet(ask: WorkerCall, keywords: dict[str, Any]) -> QuietLogging:
    """Return a logging object as LiteLLM's `function_setup` makes it."""
    model = keywords.get("model", "")
    names = {Operation.CHAT: "messages", Operation.EMBEDDING: "input"}
    logging = QuietLogging(
        model=model,
        messages=keywords.get(names.get(ask.operation, "prompt")),
        stream=ask.stream,
        call_type=CALL_TYPES[ask.operation],
        start_time=datetime.now(),  # noqa: DTZ005 -- LiteLLM's own times have no zone
        litellm_call_id=ask.id,
        function_id="",
        kwargs=keywords,
    )
    logging.update_environment_variables(
        model=model,
        user="",
        optional_params={},
        litellm_params={"api_base": ""},
        stream_options=keywords.get("stream_options"),
    )
    return logging


def _has_thought_signature(ask: WorkerCall) -> bool:
    messages = ask.arguments.get("messages") or ()
    return any(
        isinstance(each, dict)
        and (
            THOUGHT_SIGNATURE in str(each.get("tool_call_id") or "")
            or ("tool_calls" in each and THOUGHT_SIGNATURE in str(each["tool_calls"]))
        )
        for each in messages
    )


def as_object(answer: Any) -> dict[str, Any]:  # noqa: ANN401 -- LiteLLM's
    """Return an answer as LiteLLM's proxy sends it: without what is null or was never set.

    A message's content and role stay, also where they are null (proxy/utils.py,
    model_dump_with_preserved_fields).
    """
    found: dict[str, Any] = answer.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    for choice in found.get("choices") or ():
        message = choice.get("message")
        if message is not None:
            message.setdefault("content", None)
            message.setdefault("role", "assistant")
    return found


def provider_headers(answer: Any) -> dict[str, str]:  # noqa: ANN401 -- LiteLLM's
    """Return the provider's headers with limits and ids, in lower case."""
    hidden = getattr(answer, "_hidden_params", None) or {}
    headers = hidden.get("additional_headers") or {}
    return {
        name.removeprefix("llm_provider-"): str(value)
        for name, value in headers.items()
        if "ratelimit" in name or "request-id" in name
    }


def count_tokens(ask: WorkerCall, answer: dict[str, Any]) -> dict[str, int]:
    """Return the usage of an answer whose provider reported none; takes milliseconds and more."""
    model = str(ask.parameters.get("model", ""))
    asked = ask.arguments.get("messages")
    if asked is not None:
        prompt = litellm.token_counter(model=model, messages=asked)
    else:
        text = ask.arguments.get("prompt") or ask.arguments.get("input") or ""
        prompt = litellm.token_counter(model=model, text=str(text))
    said = "".join(_said(choice) for choice in answer.get("choices") or ())
    completion = litellm.token_counter(model=model, text=said) if said else 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _said(choice: dict[str, Any]) -> str:
    message = choice.get("message") or {}
    parts = [message.get("reasoning_content"), message.get("content"), choice.get("text")]
    parts += [
        str(each.get("function", {}).get("arguments", "")) for each in message.get("tool_calls", ())
    ]
    return "".join(part for part in parts if isinstance(part, str))

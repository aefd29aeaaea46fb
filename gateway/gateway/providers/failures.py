"""What a provider's error, or the lack of an answer, says about its deployment.

Nothing that a caller can cause with what it sends may be more than FailureKind.REQUEST: it would
take the deployment away from everybody else. The words of providers are those that LiteLLM 1.106.2
knows (litellm_core_utils/exception_mapping_utils.py, ExceptionCheckers), and what was seen.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import orjson

from gateway.providers.response import NotHttpError
from gateway.providers.retry_after import retry_after_seconds
from gateway.routing.failure import AttemptFailedError, Failure, FailureKind, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_MESSAGE = 2000
ERRORS = range(400, 600)
SERVER_ERROR = 500

BY_STATUS = {
    401: FailureKind.UNAUTHORISED,
    403: FailureKind.UNAUTHORISED,
    404: FailureKind.MISSING,
    408: FailureKind.UNRESPONSIVE,
    429: FailureKind.LIMITED,
}

CONTEXT_WINDOW_WORDS = (
    "exceed context limit",
    "this model's maximum context length is",
    "string too long. expected a string with maximum length",
    "model's maximum context limit",
    "is longer than the model's context length",
    "input tokens exceed the configured limit",
    "`inputs` tokens + `max_new_tokens` must be",
    "exceeds the available context size",  # llama.cpp
    "exceeds the maximum number of tokens allowed",  # Gemini
    "the input length exceeds the context length",  # Ollama, runner/ollamarunner/runner.go
)
CONTENT_POLICY_WORDS = (
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "the response was filtered due to the prompt triggering azure openai's content management",
    "your task failed as a result of our safety system",
    "the model produced invalid content",
    "content_filter_policy",
    "your request was rejected as a result of our safety system",
    "request was rejected as a result of the safety system",
    "violating our usage policy",
    "input was flagged",  # OpenRouter, with status 403
)
CONTENT_POLICY_CODES = frozenset({"content_policy_violation", "content_filter"})

ONE_REQUEST_OVER_THE_LIMIT = "request too large"
"""OpenAI's 429 for a prompt with more tokens than its limit for a whole minute: no wait helps."""

REQUEST_BEHIND_500 = (
    "invalid json schema in format",
    "invalid format:",
    "must be of type",  # an option
    "only supports one image",
    "failed to process inputs",
)
"""Ollama's 500s that are the request's fault (v0.17.4, server/routes.go, runner/…/runner.go)."""


def failure_of_answer(
    status: int, content: bytes, headers: Mapping[str, str] | None = None
) -> Failure:
    """Return what an answer with an error status says.

    Args:
        status: HTTP's.
        content: the body, whatever it holds.
        headers: of the answer, in lower case.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        document = None
    after = headers.get("retry-after") if headers else None
    return failure_of_error(status, document, after)


def failure_of_error(status: int, document: object, retry_after: str | None = None) -> Failure:
    """Return what an error object says.

    Args:
        status: HTTP's, or what the object says where the status was 200.
        document: OpenAI's `{"error": {…}}`, Ollama's `{"error": "…"}`, vLLM's flat form, or None
            when the body was no JSON.
        retry_after: the header.
    """
    error = _error_in(document)
    message = str(error.get("message") or "")[:MAX_MESSAGE]
    code, param, kind_of_error = (
        _text_of(error.get("code")),
        _text_of(error.get("param")),
        _text_of(error.get("type")),
    )
    lower = message.lower()
    refusal = refusal_in(message, code) if status < SERVER_ERROR else None
    if status == 429 and ONE_REQUEST_OVER_THE_LIMIT in lower:  # noqa: PLR2004 -- HTTP's
        refusal = Refusal.CONTEXT_WINDOW
    return Failure(
        FailureKind.REQUEST if refusal else _kind(status, document, lower, code, param),
        status,
        retry_after_seconds(retry_after, datetime.now(timezone.utc)) if retry_after else None,
        message,
        refusal,
        kind_of_error or "",
        param,
        refusal.value if refusal is Refusal.CONTEXT_WINDOW else code,
    )


def failure_in_answer(document: Mapping[str, Any]) -> Failure | None:
    """Return the failure that an answer of status 200 holds, or None.

    OpenRouter, vLLM and others put `{"error": …}` into a stream or a whole answer. An empty error
    object is none (LiteLLM, convert_dict_to_response.py).
    """
    error = document.get("error")
    if not error or (
        isinstance(error, dict) and not error.get("message") and error.get("code") is None
    ):
        return None
    status = error.get("code") if isinstance(error, dict) else None
    if not isinstance(status, int) or status not in ERRORS:
        is_request = isinstance(error, dict) and error.get("type") == "invalid_request_error"
        status = 400 if is_request else SERVER_ERROR
    return failure_of_error(status, document)


def failure_of_exception(error: BaseException) -> Failure:
    """Return what an exception of a connection says; it never holds the provider's words."""
    # Before Python 3.11 asyncio's TimeoutError is not the built-in one.
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        return Failure(FailureKind.UNRESPONSIVE)
    if isinstance(error, NotHttpError):  # it answered, but not in HTTP
        return Failure(FailureKind.FAILING)
    return Failure(FailureKind.UNREACHABLE)


def unreadable(what: str = "its answer cannot be read") -> AttemptFailedError:
    """Return the error for an answer that is not in the form it should have."""
    return AttemptFailedError(Failure(FailureKind.FAILING, message=what))


def refused(
    message: str, param: str | None = None, code: str | None = None, status: int = 400
) -> AttemptFailedError:
    """Return the error for a request that this deployment cannot take; it was not asked."""
    failure = Failure(
        FailureKind.REQUEST,
        status,
        message=message[:MAX_MESSAGE],
        error_type="invalid_request_error",
        error_param=param,
        error_code=code,
    )
    return AttemptFailedError(failure)


def _kind(
    status: int, document: object, message: str, code: str | None, param: str | None
) -> FailureKind:
    if status >= SERVER_ERROR or status not in ERRORS:
        is_request = any(words in message for words in REQUEST_BEHIND_500)
        return FailureKind.REQUEST if is_request else FailureKind.FAILING
    if code == "model_not_found":
        return FailureKind.MISSING
    kind = BY_STATUS.get(status, FailureKind.REQUEST)
    if kind is FailureKind.MISSING and not _lacks_model(message, param):
        return FailureKind.REQUEST  # a file, or another thing that the request names
    if status == 403 and not isinstance(document, dict):  # noqa: PLR2004 -- HTTP's
        return FailureKind.REQUEST  # a firewall's page, which a prompt can call up
    return kind


def _lacks_model(message: str, param: str | None) -> bool:
    if param is not None:
        return param == "model"
    return message in ("", "not found") or "model" in message


def refusal_in(message: str, code: str | None) -> Refusal | None:
    """Return why a provider refuses a request, by its code or its words; None: for another."""
    lower = message.lower()
    if code == Refusal.CONTEXT_WINDOW.value or _is_too_long(lower):
        return Refusal.CONTEXT_WINDOW
    if code in CONTENT_POLICY_CODES or any(words in lower for words in CONTENT_POLICY_WORDS):
        return Refusal.CONTENT_POLICY
    return None


def _is_too_long(message: str) -> bool:
    if "string_above_max_length" in message or (
        "invalid 'user'" in message and "string too long" in message
    ):
        return False
    return (
        any(words in message for words in CONTEXT_WINDOW_WORDS)
        or ("current length is" in message and "while limit is" in message)  # Cerebras
        or ("maximum input length is" in message and "tokens" in message)
    )


def _error_in(document: object) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        return {}
    error = document.get("error", document)
    if isinstance(error, dict):
        return error if "message" in error else {**error, "message": error.get("detail")}
    return {"message": error}


def _text_of(value: object) -> str | None:
    return str(value)[:200] if isinstance(value, (str, int)) else None

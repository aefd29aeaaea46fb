"""What an exception of LiteLLM's library says about the deployment that was asked.

LiteLLM maps errors unevenly: a refused connection is an InternalServerError for Anthropic and an
APIConnectionError for Gemini, both with status 500, and so is an AttributeError that a malformed
message causes inside LiteLLM. It also maps by words in the error's text, which may quote the
caller. So its own classes count for nothing here: only what the HTTP client below it saw does,
found in the chain of causes by its name. Where it saw nothing, the request is at fault.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import orjson

from gateway.providers.failures import refusal_in
from gateway.providers.retry_after import retry_after_seconds
from gateway.routing.failure import Failure, FailureKind, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_CONNECTION = frozenset(
    {"ConnectError", "ReadError", "WriteError", "NetworkError", "RemoteProtocolError"}
    | {"ClientConnectorError", "ClientPayloadError", "ServerDisconnectedError", "ConnectionError"}
    | {"ConnectTimeout", "NoConnectionInTimeError", "EndpointConnectionError", "APIConnectionError"}
    | {"ProxyError"}
)
NO_ANSWER = frozenset({"TimeoutException", "TimeoutError", "APITimeoutError", "ReadTimeoutError"})
AN_ANSWER = frozenset({"HTTPStatusError", "APIStatusError", "ClientResponseError", "HTTPError"})
NO_CREDENTIALS = frozenset(
    {"NoCredentialsError", "CredentialRetrievalError", "DefaultCredentialsError", "RefreshError"}
)
"""Of boto3 and google-auth; no caller can cause them."""

BY_STATUS = {
    401: FailureKind.UNAUTHORISED,
    403: FailureKind.UNAUTHORISED,
    404: FailureKind.MISSING,
    408: FailureKind.UNRESPONSIVE,
    429: FailureKind.LIMITED,
}
REFUSALS = {
    "ContextWindowExceededError": Refusal.CONTEXT_WINDOW,
    "ContentPolicyViolationError": Refusal.CONTENT_POLICY,
}
STORED_CONTENT = (b'"file_id"', b'"file_uri"', b"gs://", b"s3://", b"/files/", b'"file_data"')
"""In a request: a 401, 403 or 404 may be about the file that it names."""

CHECKS_STATUS = frozenset(
    {"anthropic", "gemini", "vertex_ai", "vertex_ai_beta", "bedrock", "azure"}
)
"""Providers whose every error answer comes as the HTTP client's exception. Others' handlers may
look at the status themselves, and raise the provider's exception class with nothing behind it."""

UNREADABLE = "its answer cannot be read"
MAX_CHAIN = 12
LONGEST = 2000
BAD_REQUEST = 400
SERVER_ERROR = 500
OWN_STATUSES = frozenset({400, 413, 415, 422})


def failure_of(
    error: BaseException, provider: str, arguments: Mapping[str, Any], *, is_reading: bool
) -> Failure:
    """Return what an exception says.

    Args:
        error: what LiteLLM raised.
        provider: LiteLLM's name of it.
        arguments: of the request.
        is_reading: whether the provider has begun to stream: then an error status is its own.
    """
    chain = _chain(error)
    kind, status = _evidence(chain, provider, is_reading=is_reading)
    body = _provider_error(chain)
    if kind is None and _is_unreadable(chain, arguments):
        return Failure(FailureKind.FAILING, message=UNREADABLE)
    if kind is None or any(type(each).__name__ == "ImageFetchError" for each in chain):
        return _of_request(error, chain, body)
    if status is not None and status < SERVER_ERROR:
        kind = BY_STATUS.get(status, FailureKind.REQUEST)
        if status == BAD_REQUEST and _says_key_is_invalid(body):
            kind = FailureKind.UNAUTHORISED
        may_be_file = kind in (FailureKind.UNAUTHORISED, FailureKind.MISSING)
        if may_be_file and status != BAD_REQUEST and _names_stored_content(arguments):
            kind = FailureKind.REQUEST
    return Failure(
        kind=kind,
        status=status,
        retry_after=_retry_after(chain),
        message=_words(error),
        refusal=_refusal(chain) or refusal_in(_words(error), None)
        if kind is FailureKind.REQUEST
        else None,
        error_type=_text(body.get("type")) or "",
        error_param=_text(body.get("param")),
        error_code=_text(body.get("code")),
    )


def _of_request(
    error: BaseException, chain: list[BaseException], body: Mapping[str, Any]
) -> Failure:
    own = getattr(error, "status_code", None)
    return Failure(
        FailureKind.REQUEST,
        own if own in OWN_STATUSES else BAD_REQUEST,
        message=_words(error),
        refusal=_refusal(chain),
        error_type="invalid_request_error",
        error_param=_text(body.get("param")),
    )


def _is_unreadable(chain: list[BaseException], arguments: Mapping[str, Any]) -> bool:
    """Return whether JSON could not be read that came from the provider, not with the request."""
    broken = next((each.doc for each in chain if isinstance(each, json.JSONDecodeError)), None)
    if broken is None:
        return False
    try:
        sent = orjson.dumps(arguments)
        return orjson.dumps(broken)[1:-1] not in sent
    except TypeError:  # half a surrogate, or what is not JSON: only a request has it
        return False


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and len(found) < MAX_CHAIN:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found


def _evidence(
    chain: list[BaseException], provider: str, *, is_reading: bool
) -> tuple[FailureKind | None, int | None]:
    """Return what the HTTP client saw, and the provider's status; None for neither."""
    below = [each for each in chain if not type(each).__module__.startswith("litellm.exceptions")]
    for each in below:
        if _method(each) == "GET":  # a picture of the caller's; providers are asked by POST
            return None, None
        names = _names(each)
        status = _status(each) if names & AN_ANSWER else None
        if status is not None:
            return FailureKind.FAILING, status
        kind = _kind(names, is_connecting="NoConnectionInTimeError" in _names(chain[-1]))
        if kind is not None:
            return kind, None
    is_inside = any(
        type(each).__module__ == "builtins" and not isinstance(each, OSError) for each in below
    )
    if is_inside or not (is_reading or provider not in CHECKS_STATUS):
        return None, None
    own = next((_status(each) for each in below if "BaseLLMException" in _names(each)), None)
    return (FailureKind.FAILING, own) if own is not None else (None, None)


def _kind(names: set[str], *, is_connecting: bool) -> FailureKind | None:
    if names & NO_CREDENTIALS:
        return FailureKind.UNAUTHORISED
    if names & NO_CONNECTION:  # first: a ConnectTimeout is a TimeoutException, too
        return FailureKind.UNREACHABLE
    if names & NO_ANSWER:
        return FailureKind.UNREACHABLE if is_connecting else FailureKind.UNRESPONSIVE
    return None


def _names(error: BaseException) -> set[str]:
    return {base.__name__ for base in type(error).__mro__}


def _method(error: BaseException) -> str | None:
    try:
        request = getattr(error, "request", None)
    except RuntimeError:  # httpx: "the .request property has not been set"
        return None
    return getattr(request, "method", None)


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    for found in (getattr(response, "status_code", None), getattr(error, "status_code", None)):
        if isinstance(found, int) and BAD_REQUEST <= found <= 599:  # noqa: PLR2004 -- HTTP's errors
            return found
    return None


def _retry_after(chain: list[BaseException]) -> float | None:
    for each in chain:
        for holder in (each, getattr(each, "response", None)):
            headers = getattr(holder, "headers", None)
            found = headers.get("retry-after") if headers is not None else None
            if found is not None:
                return retry_after_seconds(str(found), datetime.now(timezone.utc))
    return None


def _provider_error(chain: list[BaseException]) -> Mapping[str, Any]:
    """Return the provider's error object, from the JSON in an exception's words; {} for none."""
    for each in reversed(chain):
        text = getattr(each, "text", None) or getattr(each, "message", None)
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        if not isinstance(text, str) or not text.lstrip().startswith("{"):
            continue
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        error = found.get("error")
        if isinstance(error, dict):
            return error
    return {}


def _says_key_is_invalid(body: Mapping[str, Any]) -> bool:
    """Return whether it is Gemini's 400 for a wrong key; its words may quote the caller.

    https://cloud.google.com/apis/design/errors#error_info
    """
    details = body.get("details")
    return isinstance(details, list) and any(
        isinstance(each, dict) and each.get("reason") == "API_KEY_INVALID" for each in details
    )


def _names_stored_content(arguments: Mapping[str, Any]) -> bool:
    try:
        text = orjson.dumps(arguments)
    except TypeError:
        return False
    return any(mark in text for mark in STORED_CONTENT)


def _refusal(chain: list[BaseException]) -> Refusal | None:
    return next((REFUSALS[type(e).__name__] for e in chain if type(e).__name__ in REFUSALS), None)


def _words(error: BaseException) -> str:
    """Return an exception's words without the traceback that LiteLLM puts into some."""
    text = str(getattr(error, "message", "") or error)
    return text.split("\nTraceback", 1)[0].split("\nReceived Messages=", 1)[0][:LONGEST]


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) else None

"""Every way a call to the gateway can fail, and what the caller of this service gets to see.

| what happened | status | code |
| --- | --- | --- |
| gateway refused the connection, unknown host | 503 + Retry-After | gateway_unreachable |
| gateway without its database, or overloaded | 503 + Retry-After | gateway_unavailable |
| no answer within LITELLM_TIMEOUT, here or behind the gateway | 504 | gateway_timeout |
| rate limit of the key or of the provider | 429 + Retry-After | rate_limited |
| budget of this service's key is spent | 402 | budget_exceeded |
| this service's key is not accepted | 502 | gateway_key_refused |
| the provider does not accept the gateway's key | 502 | provider_key_refused |
| no such model, or the key may not use it | 502 | model_unavailable |
| text does not fit the model | 400 | context_window_exceeded |
| provider's content filter | 400 | content_refused |
| any other error of a provider | 502 | provider_failed |
| the answer is not a chat completion, or a stream ended early | 502 | answer_broken |
| the model's JSON is invalid, twice | 502 | invalid_model_output |

Texts of the gateway are never passed on: they may quote the prompt or part of a key. They are in
the gateway's log, under the same request id.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import openai

from backend_stub.route import route_of
from backend_stub.schemas import Route

RETRY_AFTER = 5
"""Seconds to wait where the gateway names none."""

_KEY_ERRORS = frozenset({"auth_error", "token_not_found_in_db", "expired_key"})
_BROKE_SCHEMA = "no model kept to the requested JSON schema"
"""The gateway's words for it, in gateway/gateway/routing/caller_error.py."""
_SEE_LOG = "the gateway's log has the cause under this request id"


class ServiceError(Exception):
    """A request that cannot be answered: what the caller is told, and how."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retry_after: str | None = None,
        route: Route | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        """Value of the Retry-After header: seconds, or an HTTP date."""
        self.route = route
        """Who was asked, where the gateway said so."""


@dataclass(frozen=True)
class _GatewayError:
    """An error body of LiteLLM (proxy/_types.py, ProxyException.to_dict) with its HTTP status."""

    status: int
    type: str
    param: str
    message: str
    retry_after: str | None
    code: str = ""

    @classmethod
    def read(cls, status: int, body: object, retry_after: str | None = None) -> "_GatewayError":
        error = body if isinstance(body, Mapping) else {}
        inner = error.get("error")
        error = inner if isinstance(inner, Mapping) else error
        # In a stream there is no HTTP status; LiteLLM repeats it as the error's code.
        code = str(error.get("code") or "")
        return cls(
            status=status or (int(code) if code.isdigit() else 500),
            type=str(error.get("type") or ""),
            param=str(error.get("param") or ""),
            message=str(error.get("message") or inner or error.get("detail") or ""),
            retry_after=retry_after,
            code=code,
        )


def from_exception(error: Exception) -> ServiceError:  # noqa: PLR0911 -- a table, one row a return
    """Return what the caller is told about an error of the OpenAI client or of a broken stream."""
    match error:
        case ServiceError():
            return error
        case openai.APITimeoutError(__cause__=httpx.ConnectTimeout()):
            return _unreachable()
        case TimeoutError() | openai.APITimeoutError() | httpx.TimeoutException():
            return _timeout()
        case openai.APIStatusError():
            headers = error.response.headers
            gateway_error = _GatewayError.read(
                error.status_code, error.body, headers.get("retry-after")
            )
            failure = _from_gateway(gateway_error)
            failure.route = route_of(headers)
            return failure
        case openai.APIConnectionError() | httpx.ConnectError():
            return _unreachable()
        case openai.APIError() if not isinstance(error, openai.APIResponseValidationError):
            return _from_gateway(_GatewayError.read(0, error.body))  # an error event in a stream
        case httpx.HTTPError() | openai.APIError() | json.JSONDecodeError():
            return broken_answer("the gateway's answer broke off or is not a chat completion")
        case _:
            raise error


def broken_answer(what: str) -> ServiceError:
    """Return the failure of an answer that ended early or makes no sense."""
    return ServiceError(502, "answer_broken", f"{what}: try again; {_SEE_LOG}")


def invalid_output(problems: str) -> ServiceError:
    """Return the failure of a model whose repaired answer is invalid too."""
    return ServiceError(
        502,
        "invalid_model_output",
        "the model's answer does not fit the schema, and neither did its one repair attempt "
        f"({problems}): try again, or a more capable model as LITELLM_EXTRACTION_MODEL",
    )


def _unreachable() -> ServiceError:
    return ServiceError(
        503,
        "gateway_unreachable",
        "the gateway cannot be reached: check that it runs, and that LITELLM_BASE_URL is right",
        retry_after=str(RETRY_AFTER),
    )


def _timeout() -> ServiceError:
    return ServiceError(
        504,
        "gateway_timeout",
        "no answer in time: try again, send a shorter text, or raise LITELLM_TIMEOUT",
    )


def _from_gateway(error: _GatewayError) -> ServiceError:  # noqa: PLR0911 -- a table, one row a return
    unavailable = "model_access_denied" in error.type or "Invalid model name" in error.message
    wait = error.retry_after or str(RETRY_AFTER)

    # The type comes before the status: 1.106 answers 422 for a spent budget, older ones 400 or 429.
    if error.type == "budget_exceeded":
        return ServiceError(
            402,
            "budget_exceeded",
            "the budget of this service's key is spent: raise BACKEND_BUDGET or wait for its reset",
        )
    if error.type == "no_db_connection" or error.status == 503:  # noqa: PLR2004 -- HTTP
        return ServiceError(
            503,
            "gateway_unavailable",
            f"the gateway cannot serve now: {_SEE_LOG}",
            retry_after=wait,
        )
    if unavailable:
        return ServiceError(
            502,
            "model_unavailable",
            "the gateway has no such model for this service's key: set LITELLM_EXTRACTION_MODEL "
            "and LITELLM_EXPLANATION_MODEL to names that GET /models on the gateway lists",
        )
    if error.status in (401, 403):
        return _refused_key(error)
    if error.status in (408, 504):
        return _timeout()
    if error.status == 429:  # noqa: PLR2004 -- HTTP
        return ServiceError(
            429,
            "rate_limited",
            f"the gateway or its provider accepts no more requests now: wait {wait} s",
            retry_after=wait,
        )
    if error.code == "context_length_exceeded" or "ContextWindowExceeded" in error.message:
        return ServiceError(
            400, "context_window_exceeded", "the text is too long for the model: send a shorter one"
        )
    if error.code == "content_policy_violation" or "ContentPolicyViolation" in error.message:
        return ServiceError(
            400, "content_refused", "the provider's content filter refused the text: change it"
        )
    if _BROKE_SCHEMA in error.message:
        return invalid_output("as the gateway found")
    return ServiceError(502, "provider_failed", f"no provider answered: {_SEE_LOG}")


def _refused_key(error: _GatewayError) -> ServiceError:
    # A provider's own 401 comes through with the name of LiteLLM's exception in front.
    by_provider = error.message.startswith("litellm.") and error.type not in _KEY_ERRORS
    if by_provider:
        return ServiceError(
            502,
            "provider_key_refused",
            "the provider refused the gateway's key: correct the provider's key on the gateway",
        )
    return ServiceError(
        502,
        "gateway_key_refused",
        "the gateway refused this service's key: set LITELLM_API_KEY or LITELLM_API_KEY_FILE to a "
        "virtual key that it knows; a gateway without its database refuses every key",
    )

"""Errors that a caller gets, in OpenAI's form.

https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from typing import Any

MAX_MESSAGE = 2000
"""Characters. What a caller sent may be in a message, and must not come back unbounded."""

CUT_OFF = 502
"""The status of a stream that broke after it had begun with 200: in its last event, in the log and
in LiteLLM's counts of failures."""


class GatewayError(Exception):
    """An error that ends a request.

    Attributes:
        status: HTTP's.
        message: for the caller: what happened, and what to do.
        type: OpenAI's word for the kind of error.
        param: the field of the request that is wrong; None when no field is.
        code: OpenAI's code of it, such as `context_length_exceeded`; None for none.
        retry_after: seconds to wait; None when waiting changes nothing.
        headers: more response headers.
    """

    status = 500
    type = "server_error"

    def __init__(  # noqa: PLR0913 -- OpenAI's fields
        self,
        message: str,
        *,
        status: int | None = None,
        type: str | None = None,  # noqa: A002 -- OpenAI's name
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.message = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"
        super().__init__(self.message)
        self.status = status if status is not None else self.status
        self.type = type if type is not None else self.type
        self.param = param
        self.code = code
        self.retry_after = retry_after
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """Return the JSON object of the response; `code` is the status where there is no other."""
        error = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code or str(self.status),
        }
        return {"error": error}


class InvalidRequestError(GatewayError):
    """The request itself is wrong; nobody was asked and nothing was reserved."""

    status = 400
    type = "invalid_request_error"


class AuthenticationError(GatewayError):
    """No key, or none that is known, or one that has expired or is blocked."""

    status = 401
    type = "auth_error"


class PermissionDeniedError(GatewayError):
    """The key is known, but may not do this."""

    status = 403
    type = "permission_denied"


class RateLimitError(GatewayError):
    """A limit of a key, team or user is reached, or every deployment is over its provider's."""

    status = 429
    type = "rate_limit_error"


class BudgetExceededError(GatewayError):
    """A budget is spent."""

    status = 429
    type = "budget_exceeded"


class UnavailableError(GatewayError):
    """Nobody can answer now: no deployment, no database, no room in the journal."""

    status = 503
    type = "service_unavailable"

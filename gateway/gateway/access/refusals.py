"""The errors that refuse a caller, with LiteLLM's status, type and text, but never with a key.

litellm/proxy/auth/user_api_key_auth.py, auth_checks.py and model_access_denied.py, 1.106.2.
"""

from __future__ import annotations

from datetime import datetime, timezone

from gateway.errors import (
    AuthenticationError,
    GatewayError,
    InvalidRequestError,
    PermissionDeniedError,
    UnavailableError,
)

RETRY_SECONDS = 5


def no_key() -> AuthenticationError:
    """Return the refusal of a request without a key."""
    return AuthenticationError("Authentication Error, No api key passed in.")


def malformed_key() -> AuthenticationError:
    """Return the refusal of a header that holds no key."""
    return AuthenticationError(
        "Authentication Error, Malformed API Key passed in. Ensure Key has `Bearer ` prefix."
    )


def no_virtual_key() -> AuthenticationError:
    """Return the refusal of text that cannot be a key; LiteLLM shows eight of its characters."""
    return AuthenticationError(
        "LiteLLM Virtual Key expected. The key that was sent does not start with 'sk-'."
    )


def unknown_key() -> AuthenticationError:
    """Return the refusal of a key that never existed, or was deleted.

    LiteLLM shows its last characters and its hash.
    """
    return AuthenticationError(
        "Authentication Error, Invalid proxy server token passed. Unable to find token in cache"
        " or `LiteLLM_VerificationTokenTable`",
        type="token_not_found_in_db",
        param="key",
    )


def no_database() -> AuthenticationError:
    """Return the refusal of a virtual key where no database is configured to find it in."""
    return AuthenticationError("No connected db.", status=400, type="no_db_connection")


def expired(at: float, now: float) -> AuthenticationError:
    """Return the refusal of an expired key; both times are seconds since the epoch."""
    return AuthenticationError(
        f"Authentication Error - Expired Key. Key Expiry time {_moment(at)} and current time"
        f" {_moment(now)}",
        type="expired_key",
    )


def key_blocked() -> AuthenticationError:
    """Return the refusal of a key that an administrator blocked."""
    return AuthenticationError(
        "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin."
    )


def team_blocked(team_id: str) -> AuthenticationError:
    """Return the refusal of a key whose team an administrator blocked."""
    return AuthenticationError(
        f"Authentication Error, Team={team_id} is blocked. Update via `/team/unblock` if you're"
        " an admin."
    )


def team_missing(team_id: str) -> GatewayError:
    """Return the refusal of a key whose team was deleted, so that its permissions are unknown."""
    return AuthenticationError(
        f"Team doesn't exist in db. Team={team_id}. Create team via `/team/new` call.", status=404
    )


def user_deactivated(user_id: str) -> AuthenticationError:
    """Return the refusal of a key whose owner was deactivated by SCIM."""
    return AuthenticationError(
        f"Authentication Error, User={user_id} has been deactivated via SCIM. Keys owned by this"
        " user cannot be used."
    )


def end_user_blocked(end_user_id: str) -> PermissionDeniedError:
    """Return the refusal of an end user that an administrator blocked.

    LiteLLM refuses such an end user only with a callback for it.
    """
    return PermissionDeniedError(
        f"User blocked from making LLM API Calls. User={end_user_id}", type="auth_error"
    )


def wrong_end_user() -> InvalidRequestError:
    """Return the refusal of an end user's id that is too long, or that holds a NUL."""
    return InvalidRequestError(
        "user: at most 1024 characters, none of them NUL: shorten it", param="user"
    )


def route_denied(route: str, allowed: tuple[str, ...]) -> PermissionDeniedError:
    """Return the refusal of a route that is not among the key's allowed_routes."""
    return PermissionDeniedError(
        "Virtual key is not allowed to call this route. Only allowed to call routes:"
        f" {list(allowed)}. Tried to call route: {route}",
        type="auth_error",
    )


def model_denied(model: str, kind: str) -> PermissionDeniedError:
    """Return the refusal of a model that a key, team, user or customer (end user) may not use."""
    message = (
        f"The requested model '{model}' is not in the allowed models for this customer. "
        "Check the models this customer can use and try again."
        if kind == "customer"
        else f"The requested model '{model}' is not available for this API key, or the model name"
        " is invalid. Check the models available to you and try again."
    )
    return PermissionDeniedError(message, type=f"{kind}_model_access_denied", param="model")


def unknown_model(model: str, route: str) -> InvalidRequestError:
    """Return the refusal of a model that is not configured."""
    return InvalidRequestError(
        f"{route}: Invalid model name passed in model={model}. Call `/v1/models` to view available"
        " models for your key."
    )


def database_away() -> UnavailableError:
    """Return the refusal of a key that cannot be looked up while the database is away."""
    return UnavailableError(
        "the database does not answer, and this key cannot be looked up; try again",
        type="no_db_connection",
        retry_after=RETRY_SECONDS,
    )


def too_many_lookups() -> UnavailableError:
    """Return the refusal of a key while too many other lookups wait."""
    return UnavailableError("too many keys are being looked up; try again", retry_after=1)


def _moment(seconds: float) -> str:
    return str(datetime.fromtimestamp(seconds, timezone.utc))

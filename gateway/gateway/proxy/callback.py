"""LiteLLM's documented callback that says whose request a call to a model is.

It runs inside LiteLLM's proxy, named in its configuration (`configuration.CALLBACK`):
https://docs.litellm.ai/docs/proxy/call_hooks. Before a call it takes out of the request whatever
could lead it past the gateway or claim to be somebody else's, and adds one signed header.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any

from litellm.integrations.custom_logger import CustomLogger

from gateway.proxy.fields import controls_of, take_out
from gateway.proxy.identity import HEADER, Identity, IdentityError, sign

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = logging.getLogger(__name__)

SECRET_VARIABLE = "GATEWAY_IDENTITY_SECRET"  # noqa: S105 -- a variable's name; hexadecimal digits

MAX_TEXT = 200
"""Characters of a header that is passed on, as for a request that comes to the gateway itself."""

HEADERS_ELSEWHERE = {
    "agenerate_content": "extra_headers",
    "agenerate_content_stream": "extra_headers",
}
"""Kinds of call that have their own headers in another field than `headers`."""


class SignedIdentity(CustomLogger):  # type: ignore[misc]  # LiteLLM is not typed
    """Signs each call that LiteLLM is about to make.

    Args:
        secret: shared with the gateway.
        clock: seconds since the epoch.
    """

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._secret = secret
        self._clock = clock

    async def async_pre_call_hook(
        self,
        user_api_key_dict: Any,  # noqa: ANN401 -- LiteLLM's UserAPIKeyAuth, not typed here
        cache: Any,  # noqa: ANN401, ARG002 -- LiteLLM's signature
        data: dict[str, Any],
        call_type: str,
    ) -> dict[str, Any] | str:
        """Take out what may not pass, and sign the rest; a string refuses the request."""
        controls = controls_of(data)
        take_out(data)
        who = user_api_key_dict
        # As the gateway handed the request on; a call that LiteLLM makes by itself has none.
        headers = (data.get("proxy_server_request") or {}).get("headers") or {}
        try:
            token = sign(
                Identity(
                    key_hash=who.api_key or "",
                    team_id=who.team_id,
                    user_id=who.user_id,
                    end_user_id=who.end_user_id,
                    organization_id=who.org_id,
                    alias=str(data.get("model") or ""),
                    call_id=str(data.get("litellm_call_id") or ""),
                    call_type=str(call_type),
                    controls=controls,
                    address=headers.get("x-forwarded-for", ""),
                    user_agent=headers.get("user-agent", "")[:MAX_TEXT],
                    traceparent=headers.get("traceparent", "")[:MAX_TEXT],
                ),
                self._secret,
                self._clock(),
            )
        except IdentityError as error:
            return f"this request cannot be forwarded: {error}"
        data[HEADERS_ELSEWHERE.get(call_type, "headers")] = {HEADER: token}
        return data


def _from_environment() -> SignedIdentity:
    given = os.environ.get(SECRET_VARIABLE)
    if not given:
        message = f"{SECRET_VARIABLE} is unset: start LiteLLM with `gateway litellm`"
        raise RuntimeError(message)
    return SignedIdentity(bytes.fromhex(given))


signed_identity = _from_environment() if SECRET_VARIABLE in os.environ else None
"""What LiteLLM's configuration names; None where this module is imported for anything else."""

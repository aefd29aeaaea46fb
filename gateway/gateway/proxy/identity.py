"""Whose request LiteLLM makes at the gateway's internal endpoint: signed, short-lived, used seldom.

LiteLLM's proxy calls every model through the gateway, with one key that identifies nobody. Its
callback (`callback.py`) signs whose request it is; the endpoint believes nothing else. Both sides
derive their secret from the master key, so that no further secret has to be distributed.

A token is `base64url(JSON) . base64url(HMAC-SHA256)`, the two parts joined by a full stop.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = "x-gateway-identity"

LIFETIME = 120.0
"""Seconds from signing to the last use. Guardrails run before the callback, not after it; what is
left is LiteLLM's translation, and the later calls of a request that calls tools by itself."""

CLOCK_SKEW = 5.0
"""Seconds by which two containers' clocks may differ."""

MAX_USES = 8
"""Calls that one signature may make. LiteLLM retries nothing (`num_retries: 0`), but a request that
calls MCP tools inside LiteLLM asks its model once a turn, with the same headers."""

MAX_TOKEN = 12_000
"""Characters: less than the longest header that uvicorn reads, with room for the others."""

_CONTEXT = b"gateway internal endpoint, identity, 1"


class IdentityError(Exception):
    """A signed identity cannot be believed; the message is for a log, and holds nothing of it."""


@dataclass(frozen=True)
class Identity:
    """Whose request it is, and what it asked of the gateway.

    Attributes:
        key_hash: SHA-256 of the virtual key in hexadecimal digits; "" for a session of the pages.
        team_id, user_id, end_user_id, organization_id: as LiteLLM knows them; None for nobody's.
        alias: the model that it may ask for, and no other.
        call_id: LiteLLM's; the caller may choose it, so that it identifies nothing.
        call_type: LiteLLM's name of the kind of call, such as `acompletion`.
        controls: fields of `request.Controls`, by name, as far as the caller set them.
        address, user_agent, traceparent: the caller's, as in `request.Client`.
        nonce: what uses are counted by.
        expires: seconds since the epoch; set by `sign`.
    """

    key_hash: str
    alias: str
    call_id: str
    call_type: str
    team_id: str | None = None
    user_id: str | None = None
    end_user_id: str | None = None
    organization_id: str | None = None
    controls: Mapping[str, Any] = field(default_factory=dict)
    address: str = ""
    user_agent: str = ""
    traceparent: str = ""
    nonce: str = field(default_factory=lambda: secrets.token_hex(12))
    expires: float = 0.0


_TEXTS = (
    *("key_hash", "alias", "call_id", "call_type", "nonce"),
    *("address", "user_agent", "traceparent"),
)
_OPTIONAL_TEXTS = ("team_id", "user_id", "end_user_id", "organization_id")


def derive_secret(master_key: str, salt_key: str = "") -> bytes:
    """Return the signing secret of a gateway and its LiteLLM: the same in all their containers.

    Whoever holds the master key may make a key for anybody, so it protects no less than it did.
    """
    return hmac.new(
        master_key.encode(), _CONTEXT + b"\0" + salt_key.encode(), hashlib.sha256
    ).digest()


def sign(identity: Identity, secret: bytes, now: float) -> str:
    """Return the token of an identity, good for LIFETIME seconds.

    Raises:
        IdentityError: it is too long for a header, because of its controls.
    """
    content: dict[str, Any] = {name: getattr(identity, name) for name in _TEXTS}
    content |= {
        name: value for name in _OPTIONAL_TEXTS if (value := getattr(identity, name)) is not None
    }
    content["expires"] = round(now + LIFETIME, 3)
    if identity.controls:
        content["controls"] = dict(identity.controls)
    payload = _encode(json.dumps(content, separators=(",", ":"), allow_nan=False).encode())
    token = f"{payload}.{_encode(_mac(payload, secret))}"
    if len(token) > MAX_TOKEN:
        message = "the request's metadata, tags and fallbacks are too long to be forwarded"
        raise IdentityError(message)
    return token


def verify(token: str, secret: bytes, now: float) -> Identity:
    """Return the identity that a token holds.

    Raises:
        IdentityError: it was not signed with this secret, or its time is over.
    """
    payload, dot, signature = token.partition(".")
    if not dot or len(token) > MAX_TOKEN:
        message = "no signed identity"
        raise IdentityError(message)
    try:
        given = _decode(signature)
    except (ValueError, binascii.Error):
        given = b""
    # The signature is compared before anything inside is looked at.
    if not hmac.compare_digest(given, _mac(payload, secret)):
        message = "an identity with a wrong signature"
        raise IdentityError(message)
    identity = _identity(json.loads(_decode(payload)))
    if not now - CLOCK_SKEW <= identity.expires <= now + LIFETIME + CLOCK_SKEW:
        message = "an expired identity"
        raise IdentityError(message)
    return identity


class UseCounter:
    """Counts how often each identity was used, so that a copied one is soon worth nothing.

    It forgets an identity when that expires anyway. Of one process: behind several gateways a token
    can be used MAX_USES times at each.
    """

    def __init__(self, most: int = MAX_USES) -> None:
        self._most = most
        self._uses: dict[str, tuple[float, int]] = {}  # nonce → expiry, uses; oldest first

    def count(self, identity: Identity, now: float) -> None:
        """Count one use.

        Raises:
            IdentityError: it was used too often.
        """
        self._forget(now)
        _, used = self._uses.get(identity.nonce, (0.0, 0))
        if used >= self._most:
            message = "an identity that was used too often"
            raise IdentityError(message)
        self._uses[identity.nonce] = (identity.expires, used + 1)

    def _forget(self, now: float) -> None:
        # All live for the same time: the first ones expire first, but for the clocks' difference.
        while self._uses:
            nonce = next(iter(self._uses))
            if self._uses[nonce][0] + CLOCK_SKEW >= now:
                return
            del self._uses[nonce]


def _identity(content: dict[str, Any]) -> Identity:
    names = (*_TEXTS, *_OPTIONAL_TEXTS, "controls", "expires")
    return Identity(**{name: content[name] for name in names if name in content})


def _mac(payload: str, secret: bytes) -> bytes:
    return hmac.new(secret, payload.encode("ascii", "replace"), hashlib.sha256).digest()


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

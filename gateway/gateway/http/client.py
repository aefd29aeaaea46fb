"""Where a request comes from."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from gateway.request import Client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.http.asgi import Message

MAX_USER_AGENT = 200
MAX_TRACEPARENT = 200


def client_of(
    scope: Message, headers: Mapping[bytes, bytes], trusted_proxies: Sequence[str]
) -> Client:
    """Return where a request comes from.

    Args:
        scope: ASGI's scope of the request.
        headers: the headers of the request.
        trusted_proxies: networks whose `x-forwarded-for` is trusted.
    """
    peer = scope["client"][0] if scope.get("client") else ""
    if trusted_proxies and _is_in(peer, trusted_proxies):
        peer = _forwarded(headers, trusted_proxies) or peer
    return Client(
        peer,
        headers.get(b"user-agent", b"")[:MAX_USER_AGENT].decode("latin-1"),
        headers.get(b"traceparent", b"")[:MAX_TRACEPARENT].decode("latin-1"),
    )


def _forwarded(headers: Mapping[bytes, bytes], trusted: Sequence[str]) -> str | None:
    """Return the last address in the chain that is not a trusted proxy's."""
    chain = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
    for address in (each.strip() for each in reversed(chain)):
        if address and not _is_in(address, trusted):
            return address[:64]
    return None


def _is_in(address: str, networks: Sequence[str]) -> bool:
    try:
        found = ipaddress.ip_address(address)
        return any(found in ipaddress.ip_network(network, strict=False) for network in networks)
    except ValueError:
        return False

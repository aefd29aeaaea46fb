"""Who answered and how it came to that, read from the gateway's response headers."""

from collections.abc import Mapping

from backend_stub.schemas import Route

_PREFIX = "x-gateway-"
"""The headers are described in docs/reference.md, "Response headers"."""


def route_of(headers: Mapping[str, str]) -> Route | None:
    """Return what the headers say; None when another gateway than this project's answered."""
    alias = headers.get(f"{_PREFIX}alias")
    if not alias:
        return None
    attempts = headers.get(f"{_PREFIX}attempts", "")
    fallback, _, origin = headers.get(f"{_PREFIX}fallback", "").partition("; from=")
    outcomes = headers.get(f"{_PREFIX}outcomes", "")
    return Route(
        alias=alias,
        model=headers.get(f"{_PREFIX}model"),
        deployment=headers.get(f"{_PREFIX}deployment"),
        attempts=int(attempts) if attempts.isdecimal() else 1,
        fallback_from=origin or None if fallback == "true" else None,
        outcomes=outcomes.split(",") if outcomes else [],
    )

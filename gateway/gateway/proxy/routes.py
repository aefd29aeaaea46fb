"""Every route of LiteLLM 1.108.7, and what happens to it here: data, and one look-up.

It was found by trying each group of LiteLLM's OpenAPI with a recording server behind LiteLLM. The
docs' table of features is generated from this list. Any other path is refused, so a new LiteLLM
opens no way past the gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from gateway.proxy.route_reasons import FORWARDED, NATIVE, READ_ONLY, REFUSED, TRANSLATED


class Action(str, Enum):
    """What happens to a request."""

    NATIVE = "native"
    FORWARDED = "forwarded"
    REFUSED = "refused"


@dataclass(frozen=True)
class Route:
    """A path and what is below it.

    Attributes:
        pattern: segments of the path; `*` stands for any one.
        action: what happens to a request there.
        reason: why, for the docs, and for whom is refused.
        methods: which it is about; () for all.
        filters_body: whether a body passes field by field (`fields.let_through`): where LiteLLM
            makes a call to a model of it.
        only_native: whether LiteLLM is never asked, because its call could not say whose it is.
    """

    pattern: str
    action: Action
    reason: str
    methods: tuple[str, ...] = ()
    filters_body: bool = False
    only_native: bool = False


ROOT = "(root)"
"""The one segment of the path /, which is not the beginning of all others."""

UNKNOWN = Route(
    "/",
    Action.REFUSED,
    "this path is not served: neither the gateway nor LiteLLM's proxy answers it here",
)
MALFORMED = Route("/", Action.REFUSED, "the path holds empty or dotted segments")


def _routes() -> tuple[Route, ...]:
    """Return the list, out of its parts."""
    found: list[Route] = []
    for patterns, reason, only in NATIVE:
        found += (
            Route(p, Action.NATIVE, reason, filters_body=True, only_native=only)
            for p in patterns.split()
        )
    for patterns, reason in TRANSLATED:
        found += (
            Route(p, Action.FORWARDED, reason, ("POST",), filters_body=True)
            for p in patterns.split()
        )
    for patterns, reason in FORWARDED:
        found += (Route(p, Action.FORWARDED, reason) for p in patterns.split())
    for patterns, reason in READ_ONLY:
        found += (Route(p, Action.FORWARDED, reason, ("GET", "HEAD")) for p in patterns.split())
    for patterns, reason, methods in REFUSED:
        found += (Route(p, Action.REFUSED, reason, methods) for p in patterns.split())
    return tuple(found)


ROUTES = _routes()


def find(method: str, path: str) -> Route:
    """Return the route of a request: the one with the most literal segments, else UNKNOWN.

    Args:
        method: HTTP's, in capitals.
        path: decoded, without the query.
    """
    # Google's verbs come after a colon: models/NAME:countTokens.
    segments = path.strip("/").replace(":", "/").split("/")
    if any(segment in (".", "..") for segment in segments) or "//" in path or "\\" in path:
        return MALFORMED
    return _search(_TREE, [segment or ROOT for segment in segments], (0, 0), method)[1]


def _search(
    node: dict[str, Any], segments: list[str], score: tuple[int, int], method: str
) -> tuple[tuple[int, int], Route]:
    """Return the best route and its score: literal segments, then segments in all."""
    best = ((-1, -1), UNKNOWN)
    for route in node.get("", ()):
        if not route.methods or method in route.methods:
            best = (score, route)
            break
    if segments:
        literal, depth = score
        for name, more in ((segments[0], 1), ("*", 0)):
            if name in node:
                found = _search(node[name], segments[1:], (literal + more, depth + 1), method)
                best = max(best, found, key=lambda each: each[0])
    return best


def _tree() -> dict[str, Any]:
    root: dict[str, Any] = {}
    for route in ROUTES:
        node = root
        for segment in route.pattern.strip("/").split("/"):
            node = node.setdefault(segment or ROOT, {})
        # Those for some methods come first.
        routes = node.setdefault("", [])
        routes.insert(0 if route.methods else len(routes), route)
    return root


_TREE = _tree()

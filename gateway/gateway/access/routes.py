"""Whether a key's allowed_routes name a route: LiteLLM's rules, for the routes served here.

litellm/proxy/auth/route_checks.py:94 and LiteLLMRoutes in _types.py:340 (1.106.2). LiteLLM's proxy
serves all other routes, and checks them itself.
"""

from __future__ import annotations

_SERVED = (
    *("chat/completions", "completions", "embeddings", "moderations", "audio/speech"),
    *("audio/transcriptions", "models"),
)
_OPENAI = frozenset(f"{prefix}{path}" for path in _SERVED for prefix in ("/", "/v1/"))
_BY_MODEL = ("/chat/completions", "/completions", "/embeddings")
_MODELS = frozenset({"/models", "/v1/models"})


def is_allowed(route: str, allowed: tuple[str, ...]) -> bool:
    """Return whether a route is allowed.

    Args:
        route: the path of the request, without its query.
        allowed: exact paths, beginnings of paths, wildcards and names of LiteLLM's groups; () for
            all routes.
    """
    return not allowed or any(
        route == each
        or route.startswith(f"{each}/")
        or (each in ("openai_routes", "llm_api_routes") and _is_openai(route))
        or (each == "info_routes" and route in _MODELS)
        or (each.endswith("*") and route.startswith(each[:-1]))
        for each in allowed
    )


def _is_openai(route: str) -> bool:
    if route in _OPENAI:
        return True
    for prefix in ("/engines/", "/openai/deployments/"):
        if route.startswith(prefix):
            return route.endswith(_BY_MODEL)
    return False

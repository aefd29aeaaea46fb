"""The operation of each path, in every spelling that LiteLLM accepts.

Sources in LiteLLM: proxy/_types.py, `LiteLLMRoutes.openai_routes`; proxy_server.py's decorators.
"""

from __future__ import annotations

from urllib.parse import unquote

from gateway.request import Operation

PREFIXES = ("", "/v1", "/openai/v1", "/openai")
IN_PATH = ("/openai/deployments/", "/engines/", "/v1/engines/")
"""Prefixes of a path in which a model's name and then an operation's path follow."""

OPERATIONS: dict[str, Operation] = {
    f"{prefix}{operation.path}": operation for prefix in PREFIXES for operation in Operation
}
MODELS = frozenset(f"{prefix}/models" for prefix in PREFIXES)
MODEL_INFO = frozenset({"/model/info", "/v1/model/info"})
ONE_MODEL = tuple(f"{prefix}/models/" for prefix in PREFIXES)


def operation_in(path: str) -> tuple[Operation, str] | None:
    """Return the operation and the model of a path that names both; None for any other path."""
    for prefix in IN_PATH:
        if path.startswith(prefix):
            rest = path[len(prefix) :]
            for operation in Operation:
                if rest.endswith(operation.path):
                    model = unquote(rest.removesuffix(operation.path))
                    return (operation, model) if model.strip("/") else None
    return None

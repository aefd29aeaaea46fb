"""The one place where LiteLLM is changed rather than asked through a hook, and its guard.

No hook of LiteLLM 1.106.2 can turn an answer into a failed attempt that is still billed, or see a
stream's first token before the router calls the attempt a success
(https://github.com/BerriAI/litellm/issues/40404). So one method of one router object is wrapped.
Its source, and that of the stream which it returns, was read for this version; another version is
left as it is, and said so.
"""

from __future__ import annotations

import hashlib
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

READ_FOR = "1.106.2"
SOURCES = {
    "_acompletion": "e3937a994b9015eb2c290f6b1ee0cbf3067961059d195a4cdf22f4421c551636",
    "_acompletion_streaming_iterator": (
        "a7f1789f1607ecb0f07e8a0e1475c8d406dbd1d241422f9473a535744496db5a"
    ),
}
"""Methods of litellm.Router, and the SHA-256 of the source that was read."""


def changed_sources(router_class: type[Any]) -> list[str]:
    """Returns the methods that are not those that were read; empty when all is as expected."""
    return [
        name
        for name, expected in SOURCES.items()
        if source_hash(getattr(router_class, name, None)) != expected
    ]


def source_hash(function: Callable[..., Any] | None) -> str | None:
    """Returns the SHA-256 of a function's source, None when there is none to read."""
    if function is None:
        return None
    try:
        source = inspect.getsource(inspect.unwrap(function))
    except (OSError, TypeError):
        return None
    return hashlib.sha256(source.encode()).hexdigest()

"""Which fields of a body reach LiteLLM's library, and of which type each has to be.

The library takes its own controls (`api_base`, `api_key`, `callbacks`, `mock_response` …) by the
same keyword arguments as OpenAI's fields, so only what is listed here is passed on. A wrong type
makes LiteLLM fail somewhere inside, or the provider with a 500; it is refused before that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.request import Operation

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER = (int, float)
_COUNT = (int,)
_TEXT = (str,)
_FLAG = (bool,)
_LIST = (list,)
_OBJECT = (dict,)
_TEXTS = (str, list)

_CHAT: dict[str, tuple[type, ...]] = {
    "messages": _LIST,
    "functions": _LIST,
    "function_call": (str, dict),
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "n": _COUNT,
    "stop": _TEXTS,
    "max_tokens": _COUNT,
    "max_completion_tokens": _COUNT,
    "modalities": _LIST,
    "prediction": _OBJECT,
    "audio": _OBJECT,
    "presence_penalty": _NUMBER,
    "frequency_penalty": _NUMBER,
    "logit_bias": _OBJECT,
    "user": _TEXT,
    "response_format": _OBJECT,
    "seed": _COUNT,
    "tools": _LIST,
    "tool_choice": (str, dict),
    "parallel_tool_calls": _FLAG,
    "logprobs": _FLAG,
    "top_logprobs": _COUNT,
    "reasoning_effort": (str, dict),
    "verbosity": _TEXT,
    "service_tier": _TEXT,
    "safety_identifier": _TEXT,
    "prompt_cache_key": _TEXT,
    "prompt_cache_retention": _TEXT,
    # Beyond OpenAI's, as LiteLLM's documentation of its providers has them.
    "thinking": _OBJECT,
    "web_search_options": _OBJECT,
    "top_k": _COUNT,
    "min_p": _NUMBER,
    "repetition_penalty": _NUMBER,
    "safety_settings": _LIST,
}
_SAMPLING = (
    *("temperature", "top_p", "n", "stop", "max_tokens", "presence_penalty", "frequency_penalty"),
    *("logit_bias", "user", "seed", "top_k", "min_p", "repetition_penalty"),
)

FIELDS: dict[Operation, dict[str, tuple[type, ...]]] = {
    Operation.CHAT: _CHAT,
    Operation.COMPLETION: {
        **{name: _CHAT[name] for name in _SAMPLING},
        "prompt": _TEXTS,
        "logprobs": _COUNT,
        "echo": _FLAG,
        "suffix": _TEXT,
        "best_of": _COUNT,
    },
    Operation.EMBEDDING: {
        "input": _TEXTS,
        "dimensions": _COUNT,
        "encoding_format": _TEXT,
        "user": _TEXT,
        "input_type": _TEXT,
    },
    Operation.MODERATION: {"input": _TEXTS},
    Operation.SPEECH: {
        "input": _TEXT,
        "voice": (str, dict),
        "response_format": _TEXT,
        "speed": _NUMBER,
        "instructions": _TEXT,
    },
    Operation.TRANSCRIPTION: {
        "language": _TEXT,
        "prompt": _TEXT,
        "response_format": _TEXT,
        "temperature": (int, float, str),  # a form has text only
        "timestamp_granularities": _LIST,
    },
}
"""`model`, `stream` and `stream_options` are the gateway's to set."""

_OURS = frozenset({"model", "stream", "stream_options"})


class WrongFieldError(Exception):
    """A field that is not passed on."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"'{name[:100]}' {problem}")
        self.field = name[:100]


def arguments_of(
    operation: Operation, body: Mapping[str, Any], *, drop_others: bool
) -> dict[str, Any]:
    """Return what of a body LiteLLM's library is given.

    Args:
        operation: what is asked for.
        body: of the request.
        drop_others: whether a field that is not listed is left out, or is an error.

    Raises:
        WrongFieldError: a field has another type, or is not listed.
    """
    known = FIELDS[operation]
    arguments: dict[str, Any] = {}
    for name, value in body.items():
        types = known.get(name)
        if value is None or name in _OURS:
            continue
        if types is None:
            if drop_others:
                continue
            raise WrongFieldError(name, "is not a parameter that this model's provider takes")
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            names = " or ".join(each.__name__ for each in types)
            raise WrongFieldError(name, f"is not of the right type ({names})")
        arguments[name] = value
    return arguments

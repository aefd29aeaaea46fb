"""The fields of each kind of request, with a check for each.

A field that is not listed goes to the provider unchanged, because OpenAI-compatible servers have
fields of their own.
"""

from __future__ import annotations

from gateway.http.validation import chat
from gateway.http.validation.fields import (
    Check,
    boolean,
    integer,
    mapping,
    mappings,
    number,
    string,
    string_or_mapping,
    string_or_strings,
    strings,
    text_or_tokens,
)
from gateway.request import Operation

MAX_TOKENS = 100_000_000
_tokens = integer(1, MAX_TOKENS)
_whole = integer(-(2**63), 2**63 - 1)

_SAMPLING: dict[str, Check] = {
    "temperature": number,
    "top_p": number,
    "n": integer(1, 128),
    "stop": string_or_strings,
    "max_tokens": _tokens,
    "presence_penalty": number,
    "frequency_penalty": number,
    "logit_bias": mapping,
    "seed": _whole,
    "stream": boolean,
    "stream_options": mapping,
    "user": string,
}

FIELDS: dict[Operation, dict[str, Check]] = {
    Operation.CHAT: {
        **_SAMPLING,
        "messages": chat.messages,
        "max_completion_tokens": _tokens,
        "logprobs": boolean,
        "top_logprobs": integer(0, 100),
        "tools": chat.tools,
        "tool_choice": string_or_mapping,
        "parallel_tool_calls": boolean,
        "functions": mappings,
        "function_call": string_or_mapping,
        "response_format": chat.response_format,
        "modalities": strings,
        "audio": mapping,
        "prediction": mapping,
        "reasoning_effort": string_or_mapping,
        "service_tier": string,
        "store": boolean,
        "verbosity": string,
        "web_search_options": mapping,
        "thinking": mapping,
        "extra_body": mapping,
        "safety_identifier": string,
        "prompt_cache_key": string,
    },
    Operation.COMPLETION: {
        **_SAMPLING,
        "prompt": text_or_tokens,
        "suffix": string,
        "echo": boolean,
        "best_of": integer(1, 128),
        "logprobs": integer(0, 100),
        "extra_body": mapping,
    },
    Operation.EMBEDDING: {
        "input": text_or_tokens,
        "dimensions": integer(1, 1_000_000),
        "encoding_format": string,
        "user": string,
        "extra_body": mapping,
    },
    Operation.MODERATION: {"input": lambda _param, _value: None},
    Operation.SPEECH: {
        "input": string,
        "voice": string_or_mapping,
        "response_format": string,
        "speed": number,
        "instructions": string,
    },
    Operation.TRANSCRIPTION: {
        "language": string,
        "prompt": string,
        "response_format": string,
    },
}

REQUIRED: dict[Operation, tuple[str, ...]] = {
    Operation.CHAT: ("messages",),
    Operation.COMPLETION: ("prompt",),
    Operation.EMBEDDING: ("input",),
    Operation.MODERATION: ("input",),
    Operation.SPEECH: ("input",),
    Operation.TRANSCRIPTION: (),
}

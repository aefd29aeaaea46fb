"""Cut long texts in stored prompts and answers, as LiteLLM does before it stores them."""

from __future__ import annotations

import os
from typing import Any

LONGEST = int(os.environ.get("MAX_STRING_LENGTH_PROMPT_IN_DB") or 2048)
"""The most characters of one text; the variable and its default are LiteLLM's."""

_BEGINNING = 0.35
"""The share of these characters from the text's beginning, as in LiteLLM; the rest is its end."""

_SECRETS = frozenset({"api_key", "api-key", "authorization", "x-api-key", "secret_fields"})


def shortened(value: Any) -> Any:  # noqa: ANN401 -- JSON
    """Return a request or answer with long texts cut in their middle, and without secrets."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST else _cut(value)
    if isinstance(value, dict):
        return {
            key: shortened(item)
            for key, item in value.items()
            if not isinstance(key, str) or key.lower() not in _SECRETS
        }
    if isinstance(value, (list, tuple)):
        return [shortened(item) for item in value]
    return value


def _cut(text: str) -> str:
    start = int(LONGEST * _BEGINNING)
    end = LONGEST - start
    left_out = len(text) - LONGEST
    return f"{text[:start]}... (litellm_truncated skipped {left_out} chars) ...{text[-end:]}"

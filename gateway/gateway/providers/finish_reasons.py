"""Why an answer ended, in OpenAI's words, as LiteLLM 1.106.2 has them.

litellm_core_utils/core_helpers.py, _FINISH_REASON_MAP; what it does not know is `stop`.
"""

from __future__ import annotations

OPENAI = frozenset({"stop", "length", "tool_calls", "function_call", "content_filter"})

OTHERS = {
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "compaction": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "sensitive": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "ERROR_TOXIC": "content_filter",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "OTHER": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "NO_IMAGE": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "IMAGE_OTHER": "content_filter",
    "ESCALATION": "content_filter",
}


def finish_reason(reason: str) -> str:
    """Return a provider's reason in OpenAI's words."""
    return reason if reason in OPENAI else OTHERS.get(reason, "stop")

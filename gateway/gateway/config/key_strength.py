"""Whether a key may guard a gateway that others can reach."""

from __future__ import annotations

MINIMUM_LENGTH = 16
MINIMUM_DISTINCT = 8

PLACEHOLDERS = (
    "changeme",
    "change-me",
    "example",
    "placeholder",
    "your-",
    "yourkey",
    "master-key",
    "masterkey",
    "1234567890",
    "password",
)
"""Parts of keys that documentation shows and people copy."""


def weakness(key: str) -> str | None:
    """Return why `key` must not be used as an API key, or None when it may.

    LiteLLM itself refuses only an empty key and sk-1234.
    """
    if not key.startswith("sk-"):
        return "does not start with sk-"
    if len(key) < MINIMUM_LENGTH:
        return f"is shorter than {MINIMUM_LENGTH} characters"
    if not key.isascii() or not key.isprintable() or " " in key:
        return "holds a character that an HTTP header cannot carry"
    lowered = key.lower()
    if any(placeholder in lowered for placeholder in PLACEHOLDERS):
        return "is a well-known placeholder"
    if len(set(key)) < MINIMUM_DISTINCT:
        return "repeats too few characters"
    return None

"""The Retry-After header: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Return how many seconds a Retry-After header asks to wait, or None when it says nothing.

    Args:
        value: the header: seconds (providers send fractions too) or an HTTP date.
        now: with a time zone.
    """
    if value is None:
        return None
    text = value.strip()
    try:
        seconds = float(text)
    except ValueError:
        return _until(text, now)
    return seconds if 0 <= seconds < float("inf") else None


def _until(text: str, now: datetime) -> float | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:  # "-0000", which the RFC reads as UTC
        date = date.replace(tzinfo=timezone.utc)
    return max(0.0, (date - now).total_seconds())

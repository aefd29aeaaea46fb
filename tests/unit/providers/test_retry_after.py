"""Retry-After, as the RFC and as providers write it."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from gateway.providers.retry_after import retry_after_seconds

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), (" 7 ", 7), ("0.25", 0.25), ("0", 0), ("Fri, 02 Jan 2026 03:05:05 GMT", 60)],
)
def test_seconds_and_dates_are_understood(header: str, seconds: float) -> None:
    """Seconds, fractions of them and HTTP dates all become seconds."""
    assert retry_after_seconds(header, NOW) == seconds


def test_a_date_without_a_zone_is_utc() -> None:
    """The zone -0000 is read as UTC, not as this machine's time."""
    assert retry_after_seconds("Fri, 02 Jan 2026 03:04:15 -0000", NOW) == 10


def test_a_date_that_has_passed_means_now() -> None:
    """A Retry-After date in the past means no wait."""
    assert retry_after_seconds("Thu, 01 Jan 2026 03:04:05 GMT", NOW) == 0


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "nan", "inf", "Fri, 99 Jan"])
def test_nonsense_says_nothing(header: str | None) -> None:
    """A Retry-After that is neither a number of seconds nor a date is ignored."""
    assert retry_after_seconds(header, NOW) is None

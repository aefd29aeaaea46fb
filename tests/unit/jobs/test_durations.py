"""When budgets are reset, compared with LiteLLM's own functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from importlib import import_module
from types import ModuleType
from typing import TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.jobs.durations import next_reset, seconds_of
from support.litellm_library import litellm

UTC = timezone.utc
Value = TypeVar("Value")
DURATIONS = st.one_of(
    st.builds(
        "{}{}".format,
        st.one_of(st.sampled_from([0, 1, 2, 7, 12, 24, 30, 31, 48, 60, 90]), st.integers(0, 5000)),
        st.sampled_from(["s", "m", "h", "d", "w", "mo", "y", "d ", "D"]),
    ),
    st.sampled_from(["hourly", "Daily", "weekly", " monthly ", "", "d", "monthly30d"]),
)
MOMENTS = st.one_of(
    st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- hypothesis adds UTC
    st.dates(datetime(2020, 1, 1).date(), datetime(2032, 1, 1).date()).map(  # noqa: DTZ001 -- a date has no zone
        lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC)
    ),
)


@pytest.fixture(scope="module")
def duration_parser() -> ModuleType:
    """Return LiteLLM's functions."""
    litellm()
    return import_module("litellm.litellm_core_utils.duration_parser")


def outcome(action: Callable[[], Value]) -> Value | type[Exception]:
    """Return a result, or the kind of error."""
    try:
        return action()
    except (ValueError, OverflowError) as error:
        return type(error)


@given(duration=DURATIONS, now=MOMENTS)
@example("7d", datetime(2026, 11, 30, tzinfo=UTC))
@example("30d", datetime(2026, 12, 1, tzinfo=UTC))
@example("48h", datetime(2026, 12, 31, 5, 3, tzinfo=UTC))
def test_budgets_start_anew_when_litellm_says(
    duration_parser: ModuleType, duration: str, now: datetime
) -> None:
    """Any duration at any moment: the same moment, or the same kind of error."""
    ours = outcome(lambda: next_reset(duration, now))

    assert ours == outcome(
        lambda: duration_parser.get_next_standardized_reset_time(duration, now, "UTC")
    )


@given(
    number=st.integers(1, 99_999),
    unit=st.sampled_from(["s", "m", "h", "d", "w"]),
    now=MOMENTS,
)
def test_durations_are_as_long_as_litellm_says(
    duration_parser: ModuleType, number: int, unit: str, now: datetime
) -> None:
    """Everything that SPEND_RETENTION may be."""
    duration = f"{number}{unit}"

    assert seconds_of(duration, now) == duration_parser.duration_in_seconds(duration)


@pytest.mark.parametrize("months", [1, 2, 11, 12, 13, 120])
def test_months_are_counted_as_litellm_counts_them(
    duration_parser: ModuleType, months: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From now on, to the same day of a later month or that month's last."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    for now in (datetime(2026, 1, 31, 10, tzinfo=UTC), datetime(2027, 12, 5, tzinfo=UTC)):
        monkeypatch.setattr(duration_parser.time_module, "time", now.timestamp)

        assert seconds_of(f"{months}mo", now) == duration_parser.duration_in_seconds(f"{months}mo")


@pytest.mark.parametrize("duration", ["", "d", "5y", "mo"])
def test_what_is_no_duration_is_refused(duration: str) -> None:
    """A typing error must not delete rows."""
    with pytest.raises(ValueError, match="is not a duration"):
        seconds_of(duration, datetime(2026, 1, 1, tzinfo=UTC))


def test_the_readme_keeps_its_word() -> None:
    """30d on the 1st of the month, 7d on Monday."""
    friday = datetime(2026, 11, 27, 20, 6, tzinfo=UTC)

    assert next_reset("30d", friday) == datetime(2026, 12, 1, tzinfo=UTC)
    assert next_reset("7d", friday) == datetime(2026, 11, 30, tzinfo=UTC)

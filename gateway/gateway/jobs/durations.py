"""LiteLLM's durations: when a budget of 30d is reset, and how long 90d is.

The rules are those of litellm/litellm_core_utils/duration_parser.py of 1.106.2, with the time zone
UTC and resets at midnight. This includes its oddities: 48h ends at the next midnight, and a budget
in months can only be 1mo.
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import datetime, timedelta

WORDS = {"hourly": "1h", "daily": "24h", "weekly": "7d", "monthly": "30d"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
MONTH = 30
WEEK = 7

_DURATION = re.compile(r"(\d+)([a-z]+)")


def next_reset(duration: str, now: datetime) -> datetime:
    """Return when a budget is reset: on the 1st for 30d and 1mo, on Monday for 7d and 1w.

    Other numbers of days count from today's midnight. Hours, minutes and seconds end at a multiple
    of their number. A duration that cannot be read ends at the next midnight.

    Args:
        duration: the duration, such as 30d.
        now: the time, in UTC.

    Raises:
        ValueError: the duration is a number of months other than one.
        OverflowError: the reset would be later than the last possible date.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found = _DURATION.match(WORDS.get(duration.strip().lower(), duration))
    if found is None:
        return midnight + timedelta(days=1)
    number, unit = int(found[1]), found[2]
    if unit == "mo":
        if number != 1:
            raise ValueError(f"a budget of {duration} cannot be reset: of months, only 1mo can")
        return _first_of_next_month(midnight)
    if unit in ("d", "w"):
        return _in_days(number if unit == "d" else number * WEEK, now, midnight)
    if unit in ("h", "m", "s"):
        return _within_a_day(number, unit, now, midnight)
    return midnight + timedelta(days=1)


def seconds_of(duration: str, now: datetime) -> float:
    """Return a duration in seconds; months are counted from now.

    Raises:
        ValueError: the text is not a duration.
    """
    found = _DURATION.match(WORDS.get(duration.strip().lower(), duration))
    if found is None:
        raise ValueError(f"'{duration}' is not a duration: write 90d")
    number, unit = int(found[1]), found[2]
    if unit == "mo":
        months = now.month - 1 + number
        year, month = now.year + months // 12, months % 12 + 1
        day = min(now.day, monthrange(year, month)[1])
        return float(int((now.replace(year=year, month=month, day=day) - now).total_seconds()))
    if unit not in SECONDS:
        raise ValueError(f"'{duration}' is not a duration: write 90d")
    return float(number * SECONDS[unit])


def _in_days(days: int, now: datetime, midnight: datetime) -> datetime:
    if days == 0:
        return now
    if days == WEEK:
        return midnight + timedelta(days=WEEK - midnight.weekday())
    if days == MONTH:
        return _first_of_next_month(midnight)
    return midnight + timedelta(days=days)


def _within_a_day(number: int, unit: str, now: datetime, midnight: datetime) -> datetime:
    if number == 0:
        return now
    hour, minute, second = now.hour, now.minute, now.second
    if unit == "h":
        hour, minute, second = hour - hour % number + number, 0, 0
    elif unit == "m":
        minute, second = minute - minute % number + number, 0
    else:
        second = second - second % number + number
    minute, second = minute + second // 60, second % 60
    hour, minute = hour + minute // 60, minute % 60
    day = midnight + timedelta(days=1) if hour >= 24 else midnight  # noqa: PLR2004 -- of a day
    return day.replace(hour=hour % 24, minute=minute, second=second)


def _first_of_next_month(midnight: datetime) -> datetime:
    return (midnight.replace(day=1) + timedelta(days=31)).replace(day=1)

"""The days that a report is about, from the options of its command line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from gateway.config.problems import ConfigurationError, Problem

DEFAULT_DAYS = 30


@dataclass(frozen=True)
class Period:
    """Whole days in UTC, both ends included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"

    def days(self) -> list[date]:
        """Return every day of it."""
        return [self.first + timedelta(n) for n in range((self.last - self.first).days + 1)]


def period(
    today: date, *, days: int | None, first: str | None, last: str | None, month: str | None
) -> Period:
    """Return the days asked for; by default the last 30, today included.

    Args:
        today: the day it is, in UTC.
        days: how many days, up to today.
        first: --from, as 2026-11-01.
        last: --to, the last day included; today when it is not given.
        month: as 2026-11.

    Raises:
        ConfigurationError: two of them are given, or one is not a date.
    """
    if sum(given for given in (days is not None, bool(first or last), month is not None)) > 1:
        raise _wrong("--days, --month, --from", "more than one period is given", "give one of them")
    if month is not None:
        start = _date("--month", f"{month}-01", month, "2026-11")
        following = (start + timedelta(31)).replace(day=1)
        return Period(start, following - timedelta(1))
    if first is None and last is not None:
        raise _wrong("--to", "has no beginning", "give --from as well")
    if first is not None:
        start = _date("--from", first, first, "2026-11-01")
        end = _date("--to", last, last, "2026-11-30") if last is not None else max(today, start)
        if end < start:
            raise _wrong("--to", f"{end} is before --from, {start}", "exchange them")
        return Period(start, end)
    return Period(today - timedelta((days or DEFAULT_DAYS) - 1), today)


def _date(option: str, text: str, given: str, example: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _wrong(option, f"'{given}' is not a date", f"write it as {example}") from None


def _wrong(option: str, found: str, fix: str) -> ConfigurationError:
    return ConfigurationError([Problem(option, found, fix)])

"""Hours at which a model costs less, from `off_peak_pricing` in LiteLLM's price map.

As LiteLLM has it, `_is_off_peak` in litellm_core_utils/llm_cost_calc/utils.py of 1.106.2.
"""

from __future__ import annotations

from datetime import datetime, time, timezone, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_off_peak(rules: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a moment is off-peak: its end is not, and a window may pass midnight."""
    if _within(_windows(rules.get("hours_utc")), now):
        return True
    windows = rules.get("windows")
    if not isinstance(windows, (list, tuple)):
        return False
    zone = _zone(rules.get("weekday_timezone"))
    return any(
        _within(_windows(rule.get("hours_utc")), now)
        and _is_day(rule.get("weekdays"), now.astimezone(zone).isoweekday())
        for rule in windows
        if isinstance(rule, dict)
    )


def _windows(value: object) -> Sequence[str]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, (list, tuple)):
        return [entry for entry in value if isinstance(entry, str)]
    return ()


def _within(windows: Sequence[str], now: datetime) -> bool:
    clock = now.astimezone(timezone.utc).time()
    for window in windows:
        try:
            start, end = (_clock(part) for part in window.split("-"))
        except ValueError:
            continue
        if (start <= clock < end) if start < end else (clock >= start or clock < end):
            return True
    return False


def _clock(text: str) -> time:
    return datetime.strptime(text.strip(), "%H:%M").replace(tzinfo=timezone.utc).time()


def _is_day(days: object, today: int) -> bool:
    if days is None:
        return True
    if not isinstance(days, (list, tuple)):
        return False
    return today in {_day(day) for day in days}


def _day(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    name = str(value).strip().lower()[:3]
    return _DAYS.index(name) + 1 if name in _DAYS else None


def _zone(name: object) -> tzinfo:
    if isinstance(name, str) and name.strip():
        try:
            return ZoneInfo(name.strip())
        except (ValueError, ZoneInfoNotFoundError):
            return timezone.utc
    return timezone.utc

"""The request for a new key, checked first because LiteLLM accepts almost anything."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
DURATION = re.compile(r"[1-9]\d{0,5}(s|m|h|d|w|mo)")
DURATION_HELP = "a number and a unit: 90s, 15m, 12h, 30d, 2w or 1mo"


@dataclass(frozen=True)
class KeyRequest:
    """A key as it was asked for, as the command line gives it.

    Attributes:
        name: under which it is listed and reported.
        budget: US dollars, or `none`.
        period: after which the budget is reset; None for never.
        models: aliases, separated by commas; None for all.
        rpm: requests in each minute; None for any number.
        tpm: tokens in each minute; None for any number.
        expires: after which time it is refused; None for never.
    """

    name: str
    budget: str
    period: str | None = None
    models: str | None = None
    rpm: int | None = None
    tpm: int | None = None
    expires: str | None = None


def generate_body(request: KeyRequest, known_models: Iterable[str]) -> dict[str, Any]:
    """Return the body of LiteLLM's POST /key/generate.

    Raises:
        ConfigurationError: names every option that is wrong.
    """
    problems: list[Problem] = []
    if NAME.fullmatch(request.name) is None:
        problems.append(
            Problem(
                "NAME",
                f"'{request.name}' cannot be a name",
                "take 1 to 64 letters, digits and . _ @ -, the first one a letter or digit",
            )
        )
    values = {
        "key_alias": request.name,
        "max_budget": _dollars(request.budget, problems),
        "budget_duration": _duration("--duration", request.period, problems),
        "models": _models(request.models, list(known_models), problems),
        "rpm_limit": _limit("--rpm", request.rpm, problems),
        "tpm_limit": _limit("--tpm", request.tpm, problems),
        "duration": _duration("--expires", request.expires, problems),
    }
    if values["max_budget"] is None and request.period is not None and not problems:
        problems.append(Problem("--duration", "without a budget means nothing", "leave it out"))
    if problems:
        raise ConfigurationError(problems)
    return {name: value for name, value in values.items() if value is not None}


def nearest(name: str, names: Iterable[str]) -> str:
    """Return what to do about a name that does not exist: the one most like it, or all of them."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean '{close[0]}'"
    return f"there are: {', '.join(known)}" if known else "there is none yet"


def _dollars(text: str, problems: list[Problem]) -> float | None:
    if text.lower() == "none":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        problems.append(
            Problem(
                "--budget",
                f"'{text}' is not an amount",
                "give USD above 0, or none for no limit",
            )
        )
    return value


def _duration(option: str, text: str | None, problems: list[Problem]) -> str | None:
    if text is not None and DURATION.fullmatch(text) is None:
        problems.append(Problem(option, f"'{text}' is not a duration", f"give {DURATION_HELP}"))
    return text


def _models(text: str | None, known: list[str], problems: list[Problem]) -> list[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    # An empty list would mean every model to LiteLLM.
    if not names:
        problems.append(Problem("--models", "names no model", f"known: {', '.join(known)}"))
    problems.extend(
        Problem("--models", f"there is no model '{name}'", f"known: {', '.join(known)}")
        for name in names
        if name not in known
    )
    return names


def _limit(option: str, value: int | None, problems: list[Problem]) -> int | None:
    if value is not None and value < 1:
        problems.append(Problem(option, f"'{value}' is too few", "give a whole number above 0"))
    return value

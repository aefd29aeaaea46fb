"""What `./run models gate` found out about models, kept in a volume by the backend.

A model that was not measured, or is below the bar, is said at every start and in `./run status`.
The records' shape: backend-stub/backend_stub/golden/report.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.config.render import EffectiveConfig

FORMAT = 1
"""Of the records that are understood here; others are left alone."""

JUDGED_ALIAS = "extraction-model"
"""The alias whose members the golden set is about, with those that stand in for it."""

BAR = ("recall", "precision", "valid_json")


@dataclass(frozen=True)
class GoldenResult:
    """One run of the gate over the whole set.

    Attributes:
        alias: what was asked.
        models: who answered, as LiteLLM writes it.
        date: ISO 8601.
        passed: whether it reached the bar that was set then.
        figures: recall, precision and valid_json, 0 to 1.
        bar: the least of each.
    """

    alias: str
    models: frozenset[str]
    date: str
    passed: bool
    figures: dict[str, float]
    bar: dict[str, float]

    def __str__(self) -> str:
        day = self.date[:10]
        if self.passed:
            return f"passed the golden set, recall {self.figures['recall']:.2f}, {day}"
        below = ", ".join(
            f"{name.replace('_', ' ')} {self.figures[name]:.2f} below {self.bar[name]:.2f}"
            for name in BAR
            if self.figures[name] < self.bar[name]
        )
        return f"below the bar of the golden set: {below}, {day}"


def read_results(folder: Path) -> list[GoldenResult]:
    """Returns the results kept, the newest first; none where there is no such folder."""
    try:
        paths = sorted(folder.glob("*.json"))
        found = [_parse(path.read_bytes()) for path in paths]
    except OSError:
        return []
    return sorted(filter(None, found), key=lambda result: result.date, reverse=True)


def result_of(model: str, results: Sequence[GoldenResult]) -> GoldenResult | None:
    """Returns the newest result in which a model answered, under whatever alias."""
    return next((result for result in results if model in result.models), None)


def judged_aliases(effective: EffectiveConfig) -> list[str]:
    """Returns extraction-model and the aliases that stand in for it."""
    chains = effective.config["router_settings"].get("fallbacks") or []
    stand_ins = [target for chain in chains for target in chain.get(JUDGED_ALIAS) or ()]
    return [alias for alias in (JUDGED_ALIAS, *stand_ins) if alias in effective.aliases]


def start_lines(effective: EffectiveConfig, results: Sequence[GoldenResult]) -> list[str]:
    """Returns one line for each model that extracts, with its result or that there is none."""
    aliases = judged_aliases(effective)
    models = [
        (deployment["model_name"], deployment["litellm_params"]["model"])
        for deployment in effective.config["model_list"]
        if deployment["model_name"] in aliases
    ]
    return [golden_line(alias, model, result_of(model, results)) for alias, model in models]


def golden_line(alias: str, model: str, result: GoldenResult | str | None) -> str:
    """Returns what is known of a model's German, in one line; a result may be in words already."""
    if result is None:
        return f"{alias} ({model}): german not measured yet; ./run models gate {alias}"
    return f"{alias} ({model}): german {result}"


def _parse(content: bytes) -> GoldenResult | None:
    try:
        record: dict[str, Any] = json.loads(content)
        if record["format"] != FORMAT:
            return None
        return GoldenResult(
            alias=str(record["model"]),
            models=frozenset(record["deployments"]),
            date=str(record["date"]),
            passed=record["passed"] is True,
            figures={name: float(record[name]) for name in BAR},
            bar={name: float(record["bar"][name]) for name in BAR},
        )
    except (ValueError, KeyError, TypeError):
        return None

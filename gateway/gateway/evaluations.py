"""What `./run models evaluate` found out about models, kept in a volume by the backend.

Every start and `./run status` name the models that were not measured or are below the bar. The
records' shape: backend-stub/backend_stub/evaluation/report.py.
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
"""The format of records that this version reads; others are ignored."""

JUDGED_ALIAS = "extraction-model"
"""The alias that the evaluation is about, with its fallbacks."""

BAR = ("recall", "precision", "valid_json")


@dataclass(frozen=True)
class Evaluation:
    """One run over the whole set.

    Attributes:
        alias: what was asked.
        models: that answered, as LiteLLM writes them.
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
            return f"passed the evaluation, recall {self.figures['recall']:.2f}, {day}"
        below = ", ".join(
            f"{name.replace('_', ' ')} {self.figures[name]:.2f} below {self.bar[name]:.2f}"
            for name in BAR
            if self.figures[name] < self.bar[name]
        )
        return f"below the bar of the evaluation: {below}, {day}"


def read_results(folder: Path) -> list[Evaluation]:
    """Return the results kept, the newest first; none where there is no such folder."""
    try:
        paths = sorted(folder.glob("*.json"))
        found = [_parse(path.read_bytes()) for path in paths]
    except OSError:
        return []
    return sorted(filter(None, found), key=lambda result: result.date, reverse=True)


def result_of(model: str, results: Sequence[Evaluation]) -> Evaluation | None:
    """Return the newest result in which a model answered, under whatever alias."""
    return next((result for result in results if model in result.models), None)


def judged_aliases(effective: EffectiveConfig) -> list[str]:
    """Return extraction-model and its fallbacks."""
    chains = effective.config["router_settings"].get("fallbacks") or []
    fallbacks = [target for chain in chains for target in chain.get(JUDGED_ALIAS) or ()]
    return [alias for alias in (JUDGED_ALIAS, *fallbacks) if alias in effective.aliases]


def start_lines(effective: EffectiveConfig, results: Sequence[Evaluation]) -> list[str]:
    """Return one line for each model that extracts, with its result or that there is none."""
    aliases = judged_aliases(effective)
    models = [
        (deployment["model_name"], deployment["litellm_params"]["model"])
        for deployment in effective.config["model_list"]
        if deployment["model_name"] in aliases
    ]
    return [evaluation_line(alias, model, result_of(model, results)) for alias, model in models]


def evaluation_line(alias: str, model: str, result: Evaluation | str | None) -> str:
    """Return what is known of a model's German, in one line; a result may be in words already."""
    if result is None:
        return f"{alias} ({model}): german not measured yet; ./run models evaluate {alias}"
    return f"{alias} ({model}): german {result}"


def _parse(content: bytes) -> Evaluation | None:
    try:
        record: dict[str, Any] = json.loads(content)
        if record["format"] != FORMAT:
            return None
        return Evaluation(
            alias=str(record["model"]),
            models=frozenset(record["deployments"]),
            date=str(record["date"]),
            passed=record["passed"] is True,
            figures={name: float(record[name]) for name in BAR},
            bar={name: float(record["bar"][name]) for name in BAR},
        )
    except (ValueError, KeyError, TypeError):
        return None

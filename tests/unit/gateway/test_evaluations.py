"""What an evaluation found out about models, as the gateway says it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.config.render import EffectiveConfig
from gateway.evaluations import judged_aliases, read_results, start_lines

MODEL = "ollama_chat/llama3.2"


def keep(folder: Path, name: str = "extraction-model", **changes: Any) -> None:
    """Write a record as the backend does, below the bar in recall unless told otherwise."""
    record = {
        "format": 1,
        "model": "extraction-model",
        "deployments": {MODEL: 60},
        "date": "2026-01-02T03:04:05+00:00",
        "passed": False,
        "recall": 0.06,
        "precision": 0.5,
        "valid_json": 1.0,
        "bar": {"recall": 0.5, "precision": 0.4, "valid_json": 0.95},
    }
    (folder / f"{name}.json").write_text(json.dumps(record | changes))


def lines(folder: Path, effective: EffectiveConfig) -> list[str]:
    """Return what a start says."""
    return start_lines(effective, read_results(folder))


def test_a_model_never_measured_is_said(
    tmp_path: Path, rendered: Callable[..., EffectiveConfig]
) -> None:
    """Without a result there is a line with the command that makes one."""
    command = "./run models evaluate extraction-model"
    assert lines(tmp_path / "nowhere", rendered()) == [
        f"extraction-model ({MODEL}): german not measured yet; {command}"
    ]


def test_what_is_below_the_bar_is_said_with_its_figures(
    tmp_path: Path, rendered: Callable[..., EffectiveConfig]
) -> None:
    """Figure, bar and date; what reached the bar is not listed."""
    keep(tmp_path)
    said = f"extraction-model ({MODEL}): german below the bar of the evaluation: "
    assert lines(tmp_path, rendered()) == [f"{said}recall 0.06 below 0.50, 2026-01-02"]


def test_a_model_that_passed_is_said_too(
    tmp_path: Path, rendered: Callable[..., EffectiveConfig]
) -> None:
    """A pass has its recall and its date."""
    keep(tmp_path, passed=True, recall=0.7)
    assert lines(tmp_path, rendered()) == [
        f"extraction-model ({MODEL}): german passed the evaluation, recall 0.70, 2026-01-02"
    ]


def test_the_result_of_another_model_does_not_count(
    tmp_path: Path, rendered: Callable[..., EffectiveConfig]
) -> None:
    """With another OLLAMA_MODEL behind the alias, it is not measured yet."""
    keep(tmp_path)
    assert "not measured yet" in lines(tmp_path, rendered(OLLAMA_MODEL="qwen3:8b"))[0]


def test_the_newest_result_of_a_model_counts(
    tmp_path: Path, rendered: Callable[..., EffectiveConfig]
) -> None:
    """Whatever alias it was measured under."""
    keep(tmp_path)
    keep(tmp_path, "other", date="2026-02-02T00:00:00+00:00", passed=True, recall=0.8)
    assert "recall 0.80, 2026-02-02" in lines(tmp_path, rendered())[0]


def test_what_is_no_record_is_left_alone(
    tmp_path: Path, rendered: Callable[..., EffectiveConfig]
) -> None:
    """A torn file or another format never stops a start."""
    (tmp_path / "torn.json").write_text('{"format": 1, "mod')
    keep(tmp_path, format=2)
    assert "not measured yet" in lines(tmp_path, rendered())[0]


def test_those_that_stand_in_are_judged_too(rendered: Callable[..., EffectiveConfig]) -> None:
    """A fallback of extraction-model answers learners as well; an explanation model does not."""
    assert judged_aliases(rendered()) == ["extraction-model"]
    assert judged_aliases(rendered(OPENAI_API_KEY="k", GEMINI_API_KEY="k")) == [
        "extraction-model",
        "extraction-model-openai",
    ]

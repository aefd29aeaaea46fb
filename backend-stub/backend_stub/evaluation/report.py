"""What the answers of a model amount to: figures, the bar, the table, the record."""

import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from backend_stub import prompts
from backend_stub.evaluation import entries
from backend_stub.evaluation.evaluate import MAX_FAILED, Answer, UnusableError
from backend_stub.evaluation.score import Tally, by_tag, score, total

FORMAT = 1
"""Of the record; a reader leaves a record of another format alone."""


@dataclass(frozen=True)
class Bar:
    """What a model must reach; README.md says why these."""

    recall: float = 0.5
    precision: float = 0.4
    valid_json: float = 0.95


@dataclass(frozen=True)
class Figures:
    """How a model did on the set."""

    model: str
    deployments: dict[str, int]
    """Answers by deployment, such as ollama_chat/llama3.2; more than one where an alias has."""
    deployment_ids: tuple[str, ...]
    sentences: int
    tally: Tally
    tags: dict[str, Tally]
    levels: dict[str, Tally]
    outcomes: dict[str, int]
    errors: dict[str, int]
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    seconds_median: float
    """Of one sentence."""
    seconds_total: float
    """Of the run, by the clock."""

    @property
    def valid_json(self) -> float:
        """Share of this model's answers that fit the schema at first try."""
        answered = self.sentences - self.outcomes["failed"]
        return self.outcomes["valid"] / answered if answered else 0.0

    def below(self, bar: Bar) -> list[str]:
        """Return what is below the bar, one line each; nothing when the model passes."""
        return [
            f"{name} {figure:.2f} is below {least:.2f}"
            for name, figure, least in (
                ("recall", self.tally.recall, bar.recall),
                ("precision", self.tally.precision, bar.precision),
                ("valid json", self.valid_json, bar.valid_json),
            )
            if figure < least
        ]


def figures(model: str, answers: Sequence[Answer], seconds: float) -> Figures:
    """Return the figures; a sentence without a usable answer counts as nothing found.

    Raises:
        UnusableError: too many sentences got no answer of this model.
    """
    outcomes = Counter(answer.outcome for answer in answers)
    errors = Counter(answer.error for answer in answers if answer.error)
    if outcomes["failed"] > MAX_FAILED * len(answers):
        raise UnusableError(
            f"{outcomes['failed']} of {len(answers)} sentences got no answer of {model} "
            f"({', '.join(f'{count} {code}' for code, count in errors.most_common())}): "
            "see the gateway's log, or give it more time with LITELLM_TIMEOUT"
        )
    scored = [(answer.entry, score(answer.entry, answer.items)) for answer in answers]
    levels: dict[str, Tally] = {}
    for entry, tally in scored:
        levels[entry.level] = levels.get(entry.level, Tally()) + tally
    calls = [answer.calls for answer in answers]
    return Figures(
        model=model,
        deployments=dict(Counter(a.deployment for a in answers if a.deployment)),
        deployment_ids=tuple(sorted({call.deployment_id for call in calls} - {""})),
        sentences=len(answers),
        tally=total(tally for _, tally in scored),
        tags=by_tag(scored),
        levels=dict(sorted(levels.items())),
        outcomes={key: outcomes[key] for key in ("valid", "repaired", "invalid", "failed")},
        errors=dict(errors),
        prompt_tokens=sum(call.prompt_tokens for call in calls),
        completion_tokens=sum(call.completion_tokens for call in calls),
        cost_usd=sum(call.cost_usd for call in calls),
        seconds_median=statistics.median(answer.seconds for answer in answers),
        seconds_total=seconds,
    )


def record(result: Figures, bar: Bar, now: datetime | None = None) -> dict[str, Any]:
    """Return what --json prints and --record keeps; JSON, and no sentence or answer in it."""
    return {
        "format": FORMAT,
        "model": result.model,
        "deployments": result.deployments,
        "deployment_ids": list(result.deployment_ids),
        "date": (now or datetime.now(UTC)).isoformat(timespec="seconds"),
        "sentence_set": entries.fingerprint(),
        "prompt": prompt_fingerprint(),
        "sentences": result.sentences,
        "passed": not result.below(bar),
        "below": result.below(bar),
        "bar": asdict(bar),
        "valid_json": round(result.valid_json, 4),
        **_rates(result.tally),
        "translations": round(result.tally.translations, 4),
        "counts": asdict(result.tally),
        "outcomes": result.outcomes,
        "errors": result.errors,
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.completion_tokens,
        "cost_usd": result.cost_usd,
        "seconds_median": round(result.seconds_median, 3),
        "seconds_total": round(result.seconds_total, 1),
        "levels": {level: _rates(tally) for level, tally in result.levels.items()},
        "tags": {tag: _rates(tally) for tag, tally in result.tags.items()},
    }


def prompt_fingerprint() -> str:
    """Return 12 hex digits of prompt and schema: with another prompt a record is out of date."""
    asked = [prompts.extraction(""), prompts.EXTRACTION_FORMAT]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]


def table(result: Figures, bar: Bar) -> str:
    """Return the figures for a terminal of 80 columns."""
    return "\n".join(_lines(result, bar))


def _lines(result: Figures, bar: Bar) -> Iterator[str]:
    tally, outcomes = result.tally, result.outcomes
    answered = ", ".join(f"{name} ({count})" for name, count in result.deployments.items())
    yield f"{result.model}, answered by {answered or 'nobody'}"
    yield ""
    yield f"{'':22}{'SENTENCES':>10}{'PRECISION':>11}{'RECALL':>8}{'F1':>6}"
    for name, part in {"all": tally, **result.levels, **result.tags}.items():
        yield (
            f"{name:22}{part.sentences:>10}{part.precision:>11.2f}{part.recall:>8.2f}{part.f1:>6.2f}"
        )
    yield ""
    yield (
        f"valid json at first try {result.valid_json:.2f}; {outcomes['repaired']} repaired, "
        f"{outcomes['invalid']} invalid twice, {outcomes['failed']} without an answer"
    )
    yield (
        f"{tally.hits} of {tally.expected} expected items, {tally.right} of {tally.found} found "
        f"are right; english right in {tally.translations:.2f}"
    )
    yield (
        f"near misses: {tally.wrong_type} type, {tally.wrong_article} article, "
        f"{tally.wrong_spelling} umlaut or ß"
    )
    yield (
        f"{result.prompt_tokens} + {result.completion_tokens} tokens, {result.cost_usd:.6f} USD, "
        f"{result.seconds_median:.1f} s a sentence (median), {result.seconds_total:.0f} s in all"
    )
    yield ""
    below = result.below(bar)
    yield from below
    if not below:
        yield (
            f"passed: recall {bar.recall:.2f}, precision {bar.precision:.2f} and "
            f"valid json {bar.valid_json:.2f} are reached"
        )
    else:
        yield "not passed: choose a more capable model, or lower the bar knowingly with"
        yield "EVALUATION_MIN_RECALL, EVALUATION_MIN_PRECISION, EVALUATION_MIN_VALID_JSON"


def _rates(tally: Tally) -> dict[str, float]:
    return {name: round(getattr(tally, name), 4) for name in ("precision", "recall", "f1")}

"""The evaluation as a command, with a fake gateway behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import stamina

from backend_stub.evaluation.__main__ import main
from backend_stub.evaluation.entries import Entry, load
from backend_stub.settings import Settings
from support.fake_gateway import FakeGateway, completion


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave nothing of the caller's environment but a key, and let retries not wait."""
    for name in (*Settings.model_fields, "evaluation_min_recall", "evaluation_min_precision"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    monkeypatch.delenv("EVALUATION_MIN_VALID_JSON", raising=False)
    monkeypatch.setenv("LITELLM_API_KEY", "sk-key")
    with stamina.set_testing(True, attempts=2):
        yield


@pytest.fixture
def gateway() -> FakeGateway:
    """Return a gateway that answers what it is told."""
    return FakeGateway()


@dataclass(frozen=True)
class Ran:
    """What a run of the command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """What it printed, as JSON."""
        parsed: dict[str, Any] = json.loads(self.out)
        return parsed


class Evaluate:
    """Runs the command."""

    def __init__(self, gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
        self._gateway = gateway
        self._capsys = capsys

    def __call__(self, *arguments: str, model: str = "extraction-model") -> Ran:
        """Run it to its end."""
        code = main([model, *arguments], transport=self._gateway)
        captured = self._capsys.readouterr()
        return Ran(code, captured.out, captured.err)


@pytest.fixture
def evaluate(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> Evaluate:
    """Return the command."""
    return Evaluate(gateway, capsys)


def found(entry: Entry, share: float = 1.0) -> str:
    """Return the JSON of a model that finds this share of what is expected, and only that."""
    known = entry.expected[: round(share * len(entry.expected))]
    listed = [
        {"type": item.type, "text": item.text, "translation": item.translations[0]}
        for item in known
    ]
    return json.dumps({"items": listed}, ensure_ascii=False)


def perfect(number: int = 60, **headers: str) -> list[httpx.Response]:
    """Return the answers of a model that finds all, for that many sentences of the whole set."""
    answers = [completion(found(entry)) for entry in load()[:number]]
    for answer in answers:
        answer.headers.update({name.replace("_", "-"): text for name, text in headers.items()})
    return answers

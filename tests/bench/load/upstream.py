"""The provider that is asked: answers at once, or as slowly as it is told, and counts its calls."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import requests

SECONDS = 10


@dataclass(frozen=True)
class Behaviour:
    """How it answers.

    Attributes:
        delay_ms: before a plain answer, or a stream's first chunk.
        gap_ms: between two chunks.
        chunks: of a stream that hold text; two more open and close it.
        content: the text of a plain answer.
    """

    delay_ms: float = 0
    gap_ms: float = 0
    chunks: int = 20
    content: str = "Der Hund bellt, weil die Katze auf dem Sofa schläft."


@dataclass(frozen=True)
class Upstream:
    """Where it is, as this process reaches it."""

    url: str

    def behave(self, behaviour: Behaviour) -> None:
        """Answer so from now on."""
        requests.put(
            f"{self.url}/_settings", json=asdict(behaviour), timeout=SECONDS
        ).raise_for_status()

    def calls(self) -> int:
        """Return how many calls came since its start."""
        answer = requests.get(f"{self.url}/_calls", timeout=SECONDS)
        answer.raise_for_status()
        return int(answer.json()["calls"])

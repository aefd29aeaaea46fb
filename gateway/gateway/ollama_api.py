"""Ollama's own API, as far as one asks whether it is there and has a model."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = httpx.Timeout(5.0, connect=2.0)
PULL_TIMEOUT = httpx.Timeout(None, connect=2.0)


class OllamaUnreachableError(Exception):
    """Nothing that speaks Ollama's API answers there."""


class OllamaPullError(Exception):
    """Ollama could not download a model; holds its own words."""


@dataclass(frozen=True)
class PullStep:
    """One line of a download's progress; bytes are 0 while there is nothing to count."""

    status: str
    completed: int
    total: int


@dataclass(frozen=True)
class Ollama:
    """An Ollama at its base URL."""

    url: str

    def models(self) -> list[str]:
        """Return the names of the models that are pulled, with their tags.

        Raises:
            OllamaUnreachableError: with the reason.
        """
        answer = self._get("/api/tags")
        return [str(model.get("model") or model.get("name")) for model in answer["models"]]

    def loaded(self) -> dict[str, int]:
        """Return the models in memory, with their bytes.

        Raises:
            OllamaUnreachableError: with the reason.
        """
        found = self._get("/api/ps")["models"]
        return {str(model.get("model")): int(model.get("size") or 0) for model in found}

    def pull(self, model: str) -> Iterator[PullStep]:
        """Download a model and yield how far it is.

        Raises:
            OllamaPullError: it failed.
        """
        try:
            with (
                self._client(PULL_TIMEOUT) as client,
                client.stream("POST", "/api/pull", json={"model": model}) as answer,
            ):
                for line in answer.iter_lines():
                    step: dict[str, Any] = json.loads(line)
                    if "error" in step:
                        raise OllamaPullError(str(step["error"]))
                    yield PullStep(
                        str(step.get("status", "")),
                        int(step.get("completed") or 0),
                        int(step.get("total") or 0),
                    )
        except (httpx.HTTPError, ValueError) as error:
            raise OllamaPullError(str(error) or type(error).__name__) from error

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with self._client(TIMEOUT) as client:
                response = client.get(path)
            answer: dict[str, Any] = response.raise_for_status().json()
            return answer if "models" in answer else _refuse(self.url)
        except httpx.HTTPStatusError as error:
            raise OllamaUnreachableError(f"it answered {error.response.status_code}") from error
        except httpx.HTTPError as error:
            raise OllamaUnreachableError(str(error) or type(error).__name__) from error
        except ValueError as error:
            raise OllamaUnreachableError("what answers is not Ollama") from error

    def _client(self, timeout: httpx.Timeout) -> httpx.Client:
        # A proxy of the environment leads to the internet, not to this machine.
        is_here = urlsplit(self.url).hostname in {"localhost", "127.0.0.1", "::1"}
        return httpx.Client(base_url=self.url, timeout=timeout, trust_env=not is_here)


def with_tag(model: str) -> str:
    """Return a model's name as Ollama lists it: without a tag it is the latest."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def nearest(model: str, models: list[str]) -> str | None:
    """Return the pulled model whose name is most like `model`; None when none is."""
    close = difflib.get_close_matches(with_tag(model), models, n=1, cutoff=0.6)
    return close[0].removesuffix(":latest") if close else None


def _refuse(url: str) -> dict[str, Any]:
    raise OllamaUnreachableError(f"what answers at {url} is not Ollama")

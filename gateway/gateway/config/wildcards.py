"""Aliases with a star, which stand for every model of a provider: `openai/*`, `*`.

As in LiteLLM (router_utils/pattern_match_deployments.py of 1.106.2): the longest pattern comes
first, a pattern need not reach to the end of the name, and what the star stood for is put in place
of the star in the deployment's model.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.config.deployment import Deployment

    Concrete = Callable[[str, str], Deployment]

MAX_NAMES = 512
MAX_NAME = 256
_SPECIAL = "*+?\\^$|()"


class Wildcards:
    """Finds the deployments of a name; what was found is remembered, for MAX_NAMES names."""

    def __init__(self, entries: Iterable[tuple[str, str, Concrete]]) -> None:
        """Take the wildcard deployments, in the order of the file.

        Args:
            entries: alias with its star, model as LiteLLM writes it, and what makes the deployment
                of a name and a model.
        """
        patterns: dict[str, list[tuple[str, Concrete]]] = {}
        for alias, model, concrete in entries:
            pattern = re.escape(alias).replace(r"\*", "(.*)")
            patterns.setdefault(pattern, []).append((model, concrete))
        self._patterns = [
            (re.compile(pattern), patterns[pattern])
            for pattern in sorted(patterns, key=_specificity, reverse=True)
        ]
        self._found: dict[str, tuple[Deployment, ...]] = {}

    def __call__(self, name: str) -> tuple[Deployment, ...]:
        """Return the deployments of a name, () when no wildcard takes it in."""
        found = self._found.get(name)
        if found is not None:
            return found
        if "*" in name or len(name) > MAX_NAME:
            return ()
        for pattern, deployments in self._patterns:
            match = pattern.match(name)
            if match is not None:
                found = tuple(
                    concrete(name, model_for(model, match)) for model, concrete in deployments
                )
                self._remember(name, found)
                return found
        return ()

    def _remember(self, name: str, found: tuple[Deployment, ...]) -> None:
        if len(self._found) >= MAX_NAMES:  # the oldest goes
            del self._found[next(iter(self._found))]
        self._found[name] = found


def model_for(model: str, match: re.Match[str]) -> str:
    """Return a deployment's model with what the stars of its alias stood for."""
    if "*" not in model:
        return model
    segments = match.groups()
    if len(segments) > model.count("*"):
        return match.string
    for segment in segments:
        model = model.replace("*", segment, 1)
    return model


def _specificity(pattern: str) -> tuple[int, int]:
    return len(pattern), sum(pattern.count(character) for character in _SPECIAL)

"""Which alias is tried after which: chains from the config file and from the environment."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from gateway.config.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

EVERY_ALIAS = "*"
"""LiteLLM's key for a chain that holds for all aliases."""


@dataclass(frozen=True)
class Chain:
    """What is tried after `alias`, in order, and where that is written."""

    alias: str
    targets: tuple[str, ...]
    where: str


def unknown_aliases(chains: Sequence[Chain], known: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for each alias that no deployment has."""
    for chain in chains:
        for name in (chain.alias, *chain.targets):
            if name != EVERY_ALIAS and not _is_known(name, known):
                yield Problem(
                    chain.where,
                    f"'{name}' is not an alias of model_list",
                    f"use one of: {', '.join(sorted(known))}",
                )


def cycles(chains: Sequence[Chain]) -> Iterator[Problem]:
    """Yield a problem for each chain that comes back to its own start."""
    following = {chain.alias: chain.targets for chain in chains}
    for chain in chains:
        path = _path_back(chain.alias, following)
        if path is not None:
            yield Problem(
                chain.where,
                f"the fallbacks form a cycle: {' -> '.join(path)}",
                "take one of them out",
            )


def without_left_out(
    chains: Sequence[Chain], left_out: Mapping[str, str]
) -> tuple[list[Chain], list[str]]:
    """Return the chains without aliases that are left out, and one line for each change.

    Args:
        chains: the chains as written.
        left_out: an alias and why it has no deployment.
    """
    kept: list[Chain] = []
    notes: list[str] = []
    for chain in chains:
        if chain.alias in left_out:
            continue
        targets = tuple(name for name in chain.targets if name not in left_out)
        notes.extend(
            f"fallback {chain.alias} -> {name} left out: {left_out[name]}"
            for name in chain.targets
            if name in left_out
        )
        if chain.targets and not targets:
            notes.append(f"{chain.alias} has no fallback")
        if targets:
            kept.append(Chain(chain.alias, targets, chain.where))
    return kept, notes


def _is_known(name: str, known: Collection[str]) -> bool:
    return name in known or any("*" in alias and fnmatch(name, alias) for alias in known)


def _path_back(start: str, following: Mapping[str, tuple[str, ...]]) -> list[str] | None:
    """Return a path from `start` back to itself, searched depth first, or None."""
    visited: set[str] = set()

    def search(alias: str, path: list[str]) -> list[str] | None:
        for target in following.get(alias, ()):
            if target == start:
                return [*path, target]
            if target not in visited:
                visited.add(target)
                found = search(target, [*path, target])
                if found is not None:
                    return found
        return None

    return search(start, [start])

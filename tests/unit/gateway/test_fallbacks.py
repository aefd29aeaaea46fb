"""Chains of fallbacks."""

from __future__ import annotations

from gateway.config.fallbacks import Chain, cycles, unknown_aliases, without_left_out


def test_long_circles_are_found_and_branches_are_not() -> None:
    """A circle over three aliases is found; two ways to one alias are none."""
    circle = [Chain("a", ("b",), "x"), Chain("b", ("c",), "x"), Chain("c", ("a",), "x")]
    assert "a -> b -> c -> a" in str(next(cycles(circle)))
    branches = [Chain("a", ("b", "c"), "x"), Chain("b", ("c",), "x")]
    assert list(cycles(branches)) == []


def test_wildcard_aliases_match() -> None:
    """An alias openai/* knows every model of its kind, and * stands for all."""
    chains = [Chain("*", ("openai/gpt-4o-mini",), "x")]
    assert list(unknown_aliases(chains, ["openai/*"])) == []
    assert len(list(unknown_aliases(chains, ["gemini/*"]))) == 1


def test_chain_keeps_what_is_left() -> None:
    """A chain loses only the aliases that are left out, and keeps its order."""
    chains = [Chain("a", ("b", "c", "d"), "x"), Chain("b", ("c",), "x")]
    kept, notes = without_left_out(chains, {"b": "B_KEY is unset"})
    assert kept == [Chain("a", ("c", "d"), "x")]
    assert notes == ["fallback a -> b left out: B_KEY is unset"]

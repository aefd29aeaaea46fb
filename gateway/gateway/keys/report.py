"""How keys are printed: for people or, with --json, for programs."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import typer

from gateway.terminal import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.keys.api import Key

COLUMNS = ("name", "state", "spent", "budget", "resets", "models", "rpm", "tpm", "expires")
TEXT_COLUMNS = ("name", "state", "models", "resets", "expires")


def plain(key: Key) -> dict[str, Any]:
    """Return what may be shown of a key, which is not its secret."""
    fields = key.fields
    return {
        "name": key.name,
        "state": key.state,
        "spent_usd": fields.get("spend") or 0.0,
        "budget_usd": fields.get("max_budget"),
        "budget_duration": fields.get("budget_duration"),
        "budget_starts_anew": fields.get("budget_reset_at"),
        "models": list(fields.get("models") or []),
        "rpm": fields.get("rpm_limit"),
        "tpm": fields.get("tpm_limit"),
        "expires": fields.get("expires"),
        "created": fields.get("created_at"),
    }


def list_as_json(keys: Sequence[Key]) -> str:
    """Return all keys for programs."""
    return json.dumps([plain(key) for key in keys], indent=2)


def print_list(keys: Sequence[Key]) -> None:
    """Print a line for each key."""
    if not keys:
        typer.echo("there is no key yet: ./run key create NAME --budget 5")
        return
    print_table(COLUMNS, [_cells(key) for key in keys], left=TEXT_COLUMNS)


def secret_as_json(key: Key, secret: str, url: str) -> str:
    """Return a new key for programs."""
    return json.dumps({**plain(key), "base_url": url, "api_key": secret}, indent=2)


def secret_as_lines(key: Key, secret: str, url: str) -> str:
    """Return lines that a shell can evaluate; what to know about the secret in a comment."""
    return "\n".join(
        [
            f"export OPENAI_BASE_URL={shlex.quote(url)}",
            f"export OPENAI_API_KEY={secret}",
            f"# key {key.name}; it is shown this once: only its hash is kept",
        ]
    )


def _cells(key: Key) -> tuple[str, ...]:
    shown = plain(key)
    return (
        key.name,
        key.state,
        f"{shown['spent_usd']:.4f}",
        _or(shown["budget_usd"], "no bound", "{:g}"),
        _when(shown["budget_starts_anew"]),
        ", ".join(shown["models"]) or "all",
        _or(shown["rpm"], "-"),
        _or(shown["tpm"], "-"),
        _when(shown["expires"]),
    )


def _or(value: object, otherwise: str, form: str = "{}") -> str:
    return otherwise if value is None else form.format(value)


def _when(moment: str | None) -> str:
    """Return a time of LiteLLM's to the minute, in UTC as it is."""
    return moment[:16].replace("T", " ") if moment else "never"

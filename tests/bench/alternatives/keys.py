"""Virtual keys as LiteLLM's tables hold them, made in one statement rather than 1,000 calls."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

TEAM_SIZE = 50
BUDGET = 1000.0
"""USD of each key and team: enough, and it has to be looked at."""


def make_keys(connection: psycopg.Connection[Any], count: int) -> list[str]:
    """Make keys with a budget, fifty to a team with a budget, and return their secrets."""
    made = [f"sk-{secrets.token_urlsafe(16)}" for _ in range(count)]
    teams = [secrets.token_hex(8) for _ in range(-(-count // TEAM_SIZE))]
    with connection.cursor() as cursor:
        cursor.executemany(
            'INSERT INTO "LiteLLM_TeamTable"'
            " (team_id, team_alias, max_budget, models, admins, members)"
            " VALUES (%s, %s, %s, '{}', '{}', '{}')",
            [(team, f"team-{team}", BUDGET) for team in teams],
        )
        cursor.executemany(
            'INSERT INTO "LiteLLM_VerificationToken" (token, key_alias, team_id, max_budget,'
            " models) VALUES (%s, %s, %s, %s, '{}')",
            [
                (_hash(key), f"key-{_hash(key)[:8]}", teams[n // TEAM_SIZE], BUDGET)
                for n, key in enumerate(made)
            ],
        )
    return made


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()

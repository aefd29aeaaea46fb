"""Callers and their entities, for the tests of budgets and limits."""

from __future__ import annotations

from typing import Any

from gateway.access.caller import Caller, Entity, Kind, Position

JOURNAL = "own"


def at(number: int) -> Position:
    """Return a position of this gateway's journal."""
    return Position(JOURNAL, number)


def key(id: str = "hash", **fields: Any) -> Entity:  # noqa: A002 -- an entity's fields
    """Return a snapshot of a key, read before anything was journaled."""
    return Entity(Kind.KEY, id, **{"name": "anna", "position": at(-1), **fields})


def team(id: str = "blue", **fields: Any) -> Entity:  # noqa: A002 -- an entity's fields
    """Return a snapshot of a team, read before anything was journaled."""
    return Entity(Kind.TEAM, id, **{"name": "blue", "position": at(-1), **fields})


def caller(*entities: Entity, is_admin: bool = False) -> Caller:
    """Return one who asks in the name of these."""
    return Caller(key_hash="hash", entities=entities, is_admin=is_admin)

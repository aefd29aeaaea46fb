"""Who asks: a key and all that stands behind it."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 -- dataclasses look it up at run time
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gateway.config.deployment import Beyond  # noqa: TC001 -- as above


class Kind(Enum):
    """What can have a budget or a limit; the names are LiteLLM's, of spend's receivers."""

    KEY = "key"
    TEAM = "team"
    TEAM_MEMBER = "team_member"
    USER = "user"
    ORGANIZATION = "organization"
    ORGANIZATION_MEMBER = "organization_member"
    END_USER = "end_user"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a journal was in the database when spend was read from there.

    Attributes:
        journal: the journal's id.
        at: a number that grows with each record; -1 when nothing of it was applied.
    """

    journal: str = ""
    at: int = -1


@dataclass(frozen=True, slots=True)
class Entity:
    """A key, team, user … as the database has it: what is charged, and held to its limits.

    Attributes:
        kind: which.
        id: its id; of a member `organisation-or-team-id::user-id`, percent-encoded.
        name: for messages, never a secret.
        spend: US dollars, with all records up to `position`.
        position: of this gateway's journal when `spend` was read.
        max_budget: US dollars; None for no budget.
        rpm: requests a minute; None for no limit.
        tpm: tokens a minute; None for no limit.
        max_parallel: requests at once; None for no limit.
    """

    kind: Kind
    id: str
    name: str = ""
    spend: float = 0.0
    position: Position = field(default_factory=Position)
    max_budget: float | None = None
    rpm: int | None = None
    tpm: int | None = None
    max_parallel: int | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        key_hash: SHA-256 of the key in hexadecimal digits, as LiteLLM stores it; "" without keys.
        key_name: the key's alias, or its masked form; for logs and rows.
        is_admin: whether it is the master key, which no budget holds.
        team_id, user_id, organization_id, end_user_id: whose the request is; None for nobody's.
        team_alias, user_email, project_id, agent_id: for the spend row.
        models: the aliases that it may ask for; None for all.
        aliases: names that stand for other models, of its key and its team.
        entities: everything that its spend is charged to, and whose limits hold.
        beyond: what only LiteLLM's proxy does for it; then the request goes there.
        metadata: the key's, as far as it stands in spend rows.
    """

    key_hash: str = ""
    key_name: str = ""
    is_admin: bool = False
    team_id: str | None = None
    team_alias: str | None = None
    user_id: str | None = None
    user_email: str | None = None
    organization_id: str | None = None
    end_user_id: str | None = None
    project_id: str | None = None
    agent_id: str | None = None
    models: frozenset[str] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    entities: tuple[Entity, ...] = ()
    beyond: tuple[Beyond, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

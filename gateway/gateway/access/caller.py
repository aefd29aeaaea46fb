"""A caller: a key, with the team, user and organization that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 -- dataclasses look it up at run time
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from gateway.config.deployment import LiteLLMOnly  # noqa: TC001 -- as above


class Kind(Enum):
    """What can have a budget or a limit, by LiteLLM's names for what spend is charged to."""

    KEY = "key"
    TEAM = "team"
    TEAM_MEMBER = "team_member"
    USER = "user"
    ORGANIZATION = "organization"
    ORGANIZATION_MEMBER = "organization_member"
    END_USER = "end_user"


@dataclass(frozen=True, slots=True)
class Position:
    """How much of a journal was in the database when a spend was read.

    Attributes:
        journal: the journal's id.
        at: a number that grows with each record; -1 when no record was applied.
    """

    journal: str = ""
    at: int = -1


@dataclass(frozen=True, slots=True)
class Entity:
    """A key, team, user … as the database has it: costs are charged to it, and its limits hold.

    Attributes:
        kind: whether it is a key, a team, a user …
        id: its id; for a member `organisation-or-team-id::user-id`, percent-encoded.
        name: for messages, never a secret.
        spend: US dollars, including all records up to `position`.
        position: the position of this gateway's journal when `spend` was read.
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
    """The caller of a request.

    Attributes:
        key_hash: SHA-256 of the key in hexadecimal digits, as LiteLLM stores it; "" without keys.
        key_name: the key's alias, or its masked form; for logs and spend logs.
        is_admin: whether it is the master key, which no budget limits.
        team_id, user_id, organization_id, end_user_id: what the request belongs to; None for none.
        team_alias, user_email, project_id, agent_id: for the spend log.
        models: the aliases that the caller may ask for; None for all.
        aliases: the key's and the team's own names for models, each with what it stands for.
        entities: everything that the request's cost is charged to, and whose limits hold.
        litellm_only: settings that only LiteLLM's proxy honours; any of them sends it the request.
        metadata: the part of the key's and the team's metadata that is copied into spend logs.
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
    litellm_only: tuple[LiteLLMOnly, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

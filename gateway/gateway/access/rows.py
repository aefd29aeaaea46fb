"""A statement's rows by name, and their values read as LiteLLM reads them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.access.litellm_only import json_object

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = Mapping[str, Any]
NOTHING: Row = {}
FOREVER = math.inf


class Wanted(NamedTuple):
    """What to look up: a key by its hash, or a user and a team where there is no such key."""

    token: str
    user_id: str | None = None
    team_id: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a statement found for one caller or end user.

    Attributes:
        rows: by the names in `columns.py`; a row that does not exist is empty.
        position: this gateway's journal position in the same snapshot; -1 for none.
        access_groups: the rows of the access groups that the key or its team has.
    """

    rows: Mapping[str, Row]
    position: int = -1
    access_groups: Sequence[Row] = ()

    def __getitem__(self, name: str) -> Row:
        return self.rows.get(name, NOTHING)


@dataclass(frozen=True, slots=True)
class Common:
    """What holds for all callers.

    Attributes:
        budgeted_tags: tags with a budget.
        budgeted_groups: model access groups with a budget.
        end_user_default: the budget of end users that have none of their own; {} for no budget.
    """

    budgeted_tags: frozenset[str] = frozenset()
    budgeted_groups: frozenset[str] = frozenset()
    end_user_default: Row = field(default_factory=dict)


def by_name(values: Sequence[Any], pairs: Sequence[tuple[str, str]]) -> dict[str, Row]:
    """Return the rows, by name, in one line of a result; a join without a match gives no row."""
    rows: dict[str, dict[str, Any]] = {}
    for (name, column), value in zip(pairs, values, strict=False):
        rows.setdefault(name, {})[column] = value
    return {name: row for name, row in rows.items() if any(v is not None for v in row.values())}


def names(value: object) -> tuple[str, ...]:
    """Return the names in a list, () for anything else."""
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def name_map(value: object) -> dict[str, str]:
    """Return what each name stands for; LiteLLM stores this as JSON, or as text that holds JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    pairs = json_object(value).items()
    return {name: to for name, to in pairs if isinstance(to, str)}


def budget(value: object) -> float | None:
    """Return a budget; None for no budget. LiteLLM takes one that is not finite as no budget."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


def moment(value: object) -> float | None:
    """Return a time in seconds since the epoch; a time without a zone is taken as UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp()


def first(*values: Any) -> Any:  # noqa: ANN401 -- as it came from the database
    """Return the first value that is not None."""
    return next((value for value in values if value is not None), None)

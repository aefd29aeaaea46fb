"""Rows as LiteLLM's tables have them, and the callers that are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.access.allowlist import Catalogue
from gateway.access.caller import Entity, Kind
from gateway.access.database import DatabaseAwayError
from gateway.access.identity import Identity, Settings, make_identity
from gateway.access.rows import Common, Found, Wanted
from gateway.config.deployment import Deployment, Models, Protocol, RouterSettings

NOW = 1_800_000_000.0
TOKEN = "f" * 64
NOBODY = Common()


def models(
    *aliases: str,
    groups: Mapping[str, tuple[str, ...]] | None = None,
    router: Mapping[str, tuple[str, bool]] | None = None,
) -> Models:
    """Return a configuration with one deployment for each alias."""
    return Models(
        deployments=tuple(
            Deployment(id=each, alias=each, provider="openai", model=each, protocol=Protocol.OPENAI)
            for each in aliases
        ),
        access_groups=groups or {},
        router=RouterSettings(group_aliases=router or {}),
    )


MODELS = models("small", "large", groups={"cheap": ("small",)}, router={"best": ("large", False)})
CATALOGUE = Catalogue(MODELS)


def key(**columns: Any) -> dict[str, Any]:
    """Return a key's row."""
    return {"token": TOKEN, "spend": 0.0, "models": [], "metadata": {}, **columns}


def found(
    *,
    position: int = -1,
    access_groups: Sequence[Mapping[str, Any]] = (),
    **rows: Mapping[str, Any],
) -> Found:
    """Return rows as a statement gives them."""
    return Found({name: row for name, row in rows.items() if row}, position, access_groups)


def identity(
    what: Found, *, common: Common = NOBODY, wanted: Wanted | None = None, **settings: Any
) -> Identity:
    """Return what is made of rows, which have to be somebody's."""
    made = make_identity(
        wanted or Wanted(TOKEN), what, common, Settings(CATALOGUE, "j", **settings), NOW
    )
    assert made is not None
    return made


def entity(made: Identity, kind: Kind) -> Entity:
    """Return the one entity of a kind."""
    (only,) = [each for each in made.caller.entities if each.kind is kind]
    return only


class FakeDatabase:
    """Says whether it answers."""

    def __init__(self) -> None:
        self.answers = True
        self.answered_at = 0.0


class FakeLookups:
    """Answers from a dictionary, and counts."""

    def __init__(self, database: FakeDatabase) -> None:
        self.database = database
        self.known: dict[Any, Found] = {}
        self.asked: list[Any] = []
        self.meanwhile: Any = lambda: None

    async def get(self, wanted: Any) -> Found:
        """Return what is known of one."""
        self.asked.append(wanted)
        if not self.database.answers:
            raise DatabaseAwayError("gone")
        answer = self.known.get(wanted, Found({}))
        self.meanwhile()
        return answer


class FakeReader:
    """Reads nothing from anywhere."""

    def __init__(self, database: FakeDatabase) -> None:
        self.callers = FakeLookups(database)
        self.end_users = FakeLookups(database)
        self.common = Common()

    async def read_common(self) -> Common:
        """Return what holds for everybody."""
        if not self.callers.database.answers:
            raise DatabaseAwayError("gone")
        return self.common

    async def read_callers(self, wanted: Sequence[Wanted]) -> list[Found]:
        """Return several at once."""
        return [await self.callers.get(each) for each in wanted]

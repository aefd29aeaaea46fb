"""The callers in memory: read when needed, marked stale as soon as one of their rows changes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.access import refusals
from gateway.access.database import DatabaseAwayError
from gateway.access.identity import Identity, KnownCaller, make_identity, with_end_user
from gateway.access.memory import Dependency, History, Kept, Recent
from gateway.access.reader import MAX_BATCH, CallerReader
from gateway.access.rows import Common, Found, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gateway.access.caller import Caller
    from gateway.access.database import Database
    from gateway.access.identity import Settings

CALLERS = 10_000
END_USERS = 10_000
UNKNOWN = 10_000
UNKNOWN_SECONDS = 2.0
"""How long a key that does not exist is not looked up again."""

OLD_SECONDS = 86_400
"""How long the database may be away before no caller is served from memory any more."""

ATTEMPTS = 3
"""How often a caller is read while its rows keep changing, before the last read is used."""

Key = str | Wanted
"""A key's hash; for a session, whose key is in no table, its user and team as well."""


@dataclass(slots=True)
class EndUser:
    """What is kept in memory about an end user."""

    found: Found
    depends_on: frozenset[Dependency] = frozenset()
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class Combined:
    """A caller that asks for an end user, and what it was made from."""

    identity: Identity
    end_user: EndUser
    common: Common
    caller: KnownCaller


class KnownCallers:
    """Callers and end users in memory: at most CALLERS and END_USERS of them.

    Attributes:
        common: what holds for all callers.
    """

    def __init__(  # noqa: PLR0913 -- one value after the other
        self,
        database: Database,
        reader: CallerReader,
        settings: Settings,
        *,
        default_budget: str | None,
        serves_old: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with no callers.

        Args:
            database: tells whether the database answers.
            reader: reads from the database.
            settings: the configuration.
            default_budget: the id of the budget of end users that have none of their own.
            serves_old: whether known callers are served while the database is away.
            clock: a monotonic clock, in seconds.
        """
        self._database = database
        self._reader = reader
        self._settings = settings
        self._default_budget = ("budget", default_budget or "")
        self._serves_old = serves_old
        self._clock = clock
        self._history = History()
        self._identities: Kept[Key, Identity] = Kept(CALLERS)
        self._end_users: Kept[str, EndUser] = Kept(END_USERS)
        self._combined: Recent[tuple[str, str], Combined] = Recent(END_USERS)
        self._unknown: Recent[Key, float] = Recent(UNKNOWN)
        self._others: object = None
        self.common = Common()
        self._common_is_stale = True
        self._common_lock = asyncio.Lock()

    def fresh(self, key: Key, now: float) -> Identity | None:
        """Return a caller that is in memory and not stale; None for any other.

        Args:
            key: the caller's key.
            now: seconds since the epoch.
        """
        identity = self._identities.get(key)
        if identity is None or identity.is_stale or identity.reload_at <= now:
            return None
        identity.used = True
        return identity

    async def read(self, key: Key) -> Identity:
        """Return a caller from the database, or from memory while the database is away.

        Raises:
            AuthenticationError: there is no such key.
            UnavailableError: the key is not known, and the database does not answer.
        """
        if (self._unknown.get(key) or 0.0) > self._clock():
            raise refusals.unknown_key()
        identity = await self._read(key)
        for _ in range(ATTEMPTS - 1):
            if not identity.is_stale or not self._database.answers:
                break
            identity = await self._read(key)
        return identity

    async def for_end_user(self, identity: Identity, end_user_id: str) -> Caller:
        """Return a caller that makes its request for an end user.

        For an end user in memory this returns at once, without yielding to the event loop.

        Raises:
            PermissionDeniedError: the end user is blocked.
            UnavailableError: the end user is not known, the database does not answer, and callers
                are not served from memory.
        """
        key = (identity.caller.key_hash, end_user_id)
        combined = self._combined.get(key)
        if (
            combined is None
            or combined.identity is not identity
            or combined.end_user.is_stale
            or combined.common is not self.common
            or self._common_is_stale
        ):
            combined = await self._combine(identity, end_user_id)
            self._combined.put(key, combined)
        if combined.end_user.found["end_user"].get("blocked"):
            raise refusals.end_user_blocked(end_user_id)
        return combined.caller

    def invalidate(self, row: Dependency) -> None:
        """Record that a row has changed; what depends on it is read again when it is needed."""
        self._history.record(row)
        if row[0] == "key":
            self._unknown.drop(row[1])
        self._common_is_stale = self._common_is_stale or row in (("common",), self._default_budget)
        self._identities.invalidate(row)
        self._end_users.invalidate(row)

    def invalidate_all(self) -> None:
        """Record that any row may have changed."""
        self._history.record_everything()
        self._unknown.clear()
        self._common_is_stale = True
        self._identities.invalidate_all()
        self._end_users.invalidate_all()

    async def reload_if_others_spent(self) -> None:
        """Read the callers in use again if costs from other journals were applied.

        No notification comes for a spend that rises. Without this read the gateway would not learn
        of the costs of other gateways, or of those in a journal that was left behind.

        Raises:
            DatabaseAwayError: the database does not answer.
        """
        before, self._others = self._others, await self._reader.read_others()
        if self._others != before:
            await self.reload_used()

    async def reload_used(self) -> None:
        """Read every caller again that has made a request since the last call.

        All other callers are only marked stale, and read again when they are needed.

        Raises:
            DatabaseAwayError: the database does not answer.
        """
        self._common_is_stale = True
        self._end_users.invalidate_all()
        common = await self._read_common()
        used: list[Key] = []
        for key, identity in self._identities.items():
            if identity.used and not identity.is_stale:
                used.append(key)
            else:
                identity.is_stale = True
            identity.used = False
        for part in _parts(used, MAX_BATCH):
            then = self._history.now
            found = await self._reader.read_callers([_wanted(key) for key in part])
            for key, each in zip(part, found, strict=True):
                before = self._identities.peek(key)
                identity_now = self._keep(key, each, common, then)
                if identity_now is not None:
                    identity_now.used = before is not None and before.used

    def __len__(self) -> int:
        return len(self._identities)

    async def _read(self, key: Key) -> Identity:
        then = self._history.now
        try:
            common = await self._read_common()
            found = await self._reader.callers.get(_wanted(key))
        except DatabaseAwayError as error:
            old = self._identities.peek(key)
            if old is None or not self._may_serve_old():
                raise refusals.database_away() from error
            return old
        identity = self._keep(key, found, common, then)
        if identity is None:
            raise refusals.unknown_key()
        return identity

    def _keep(self, key: Key, found: Found, common: Common, then: int) -> Identity | None:
        wanted = _wanted(key)
        identity = make_identity(wanted, found, common, self._settings, time.time())
        if identity is None:
            self._identities.drop(key)
            if not self._history.since(then, [("key", wanted.token)]):
                self._unknown.put(key, self._clock() + UNKNOWN_SECONDS)
            return None
        identity.is_stale = self._history.since(then, identity.depends_on)
        self._identities.put(key, identity)
        return identity

    async def _combine(self, identity: Identity, end_user_id: str) -> Combined:
        try:
            common = await self._read_common()
            end_user = await self._read_end_user(end_user_id)
        except DatabaseAwayError as error:
            if not self._may_serve_old():
                raise refusals.database_away() from error
            # As in LiteLLM, an end user that cannot be looked up is served without its own limits.
            known = self._end_users.peek(end_user_id)
            common, end_user = self.common, known or EndUser(Found({}), is_stale=True)
        caller = with_end_user(identity, end_user_id, end_user.found, common, self._settings)
        return Combined(identity, end_user, common, caller)

    async def _read_end_user(self, end_user_id: str) -> EndUser:
        known = self._end_users.get(end_user_id)
        if known is not None and not known.is_stale:
            return known
        then = self._history.now
        found = await self._reader.end_users.get(end_user_id)
        rows: set[Dependency] = {("end_user", end_user_id)}
        budget_id = found["end_user"].get("budget_id")
        if budget_id is not None:
            rows.add(("budget", budget_id))
        end_user = EndUser(found, frozenset(rows), self._history.since(then, rows))
        self._end_users.put(end_user_id, end_user)
        return end_user

    async def _read_common(self) -> Common:
        async with self._common_lock:
            if self._common_is_stale:
                then = self._history.now
                self.common = await self._reader.read_common()
                self._common_is_stale = self._history.since(
                    then, [("common",), self._default_budget]
                )
            return self.common

    def _may_serve_old(self) -> bool:
        return self._serves_old and self._clock() - self._database.answered_at < OLD_SECONDS


def _wanted(key: Key) -> Wanted:
    return key if isinstance(key, Wanted) else Wanted(key)


def _parts(keys: Sequence[Key], size: int) -> Iterator[Sequence[Key]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]

"""Identify callers and resolve the models that they name: what the other rooms call."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import time
from typing import TYPE_CHECKING, Literal

from gateway.access import refusals, routes
from gateway.access.allowlist import Catalogue
from gateway.access.caller import Caller, Entity, Kind, Position
from gateway.access.changes import Changes
from gateway.access.database import Database
from gateway.access.identity import Identity, KnownCaller, Settings
from gateway.access.known import KnownCallers
from gateway.access.reader import CallerReader
from gateway.access.rows import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.deployment import Models

LOG = logging.getLogger(__name__)

MASTER_KEY_NAME = "litellm_proxy_master_key"
"""The name of the master key in spend logs: litellm/constants.py:1728."""

ADMIN_USER = "default_user_id"
"""The user that the master key's requests belong to: LITELLM_PROXY_ADMIN_NAME."""

MAX_END_USER = 1024


class Access:
    """Callers, from LiteLLM's tables.

    Without a database only the master key is known. Without a master key every caller is treated
    as its holder.
    """

    def __init__(  # noqa: PLR0913 -- one value after the other
        self,
        models: Models,
        master_key: str | None,
        database_url: str | None,
        *,
        policy: Literal["serve", "refuse"],
        journal_id: str = "",
        pool_size: int = 2,
        end_user_budget_id: str | None = None,
        user_budget_on_team_keys: bool = False,
    ) -> None:
        """Take what the configuration says.

        Args:
            models: the configured names.
            master_key: an administrator's key; None when no key is needed.
            database_url: where LiteLLM's tables are; None for no database.
            policy: whether known keys are served or refused while the database is away.
            journal_id: the id of this gateway's journal, whose position is read with each spend.
            pool_size: the number of connections for lookups.
            end_user_budget_id: LiteLLM's max_end_user_budget_id, the budget of end users that have
                none of their own.
            user_budget_on_team_keys: LiteLLM's apply_user_budget_to_team_keys.
        """
        self._models = models
        self._catalogue = Catalogue(models)
        self._master = None if master_key is None else _hash(master_key)
        self._refuses = policy == "refuse"
        self._journal_id = journal_id
        self._task: asyncio.Task[None] | None = None
        self._known: KnownCallers | None = None
        if database_url is not None:
            settings = Settings(self._catalogue, journal_id, user_budget_on_team_keys)
            self._database = Database(database_url, pool_size)
            self._reader = CallerReader(self._database, journal_id, end_user_budget_id)
            self._known = KnownCallers(
                self._database,
                self._reader,
                settings,
                default_budget=end_user_budget_id,
                serves_old=not self._refuses,
            )
            self._changes = Changes(self._database, self._known)
        self._admin = KnownCaller(
            key_hash="" if master_key is None else MASTER_KEY_NAME,
            is_admin=True,
            user_id=ADMIN_USER,
            entities=(Entity(Kind.USER, ADMIN_USER, position=Position(journal_id)),),
        )

    async def start(self) -> None:
        """Connect and follow changes; while the database is away, keep trying."""
        if self._known is None:
            return
        self._task = asyncio.create_task(self._changes.run(), name="changes of callers")
        await self._changes.tried.wait()

    async def close(self) -> None:
        """Stop following and close all connections."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._known is not None:
            await self._reader.close()
            await self._database.close()

    @property
    def database(self) -> Database | None:
        """The connections for lookups; None without a database."""
        return None if self._known is None else self._database

    def follow_replicas(self, changed: Callable[[], None]) -> Callable[[], bool]:
        """Have `changed` called when other gateways may have changed; needs a database.

        Returns:
            A function that says whether notifications arrive from the database.
        """
        self._changes.replicas_changed = changed
        return lambda: self._changes.is_heard

    @property
    def budgeted_tags(self) -> frozenset[str]:
        """Tags with a budget: a request that names one goes to LiteLLM's proxy."""
        return frozenset() if self._known is None else self._known.common.budgeted_tags

    @property
    def database_answers(self) -> bool:
        """Whether the database answers; True where none is configured."""
        return self._known is None or self._database.answers

    def reasons(self) -> list[str]:
        """Return what is wrong, for /health; [] when nothing is."""
        if self._known is None or (self._database.answers and not self._database.problem):
            return []
        return [f"the database does not answer: {self._database.problem}"]

    async def identify(
        self, secret: str | None, *, end_user: str | None = None, route: str = "/chat/completions"
    ) -> Caller:
        """Return the caller that a key belongs to.

        For a key in memory this returns at once, without yielding to the event loop.

        Args:
            secret: the key as it was sent, without `Bearer`; "" for a header without a key.
            end_user: the end user that the request is made for.
            route: the path of the request, without its query.

        Raises:
            AuthenticationError: there is no such key, or it is blocked or has expired.
            PermissionDeniedError: the key may not ask for this route, or the end user is blocked.
            InvalidRequestError: the end user's id is too long, or holds a NUL.
            UnavailableError: the key is not known, and the database does not answer.
        """
        if self._master is None:
            return await self._of_admin(end_user)
        if not secret:
            raise refusals.no_key() if secret is None else refusals.malformed_key()
        hashed = _hash(secret)
        if hmac.compare_digest(hashed, self._master):
            return await self._of_admin(end_user)
        known = self._known
        if known is None:
            raise refusals.no_database()
        if not secret.startswith("sk-"):
            raise refusals.no_virtual_key()
        if self._refuses and not self._database.answers:
            raise refusals.database_away()
        now = time.time()
        identity = known.fresh(hashed, now)
        if identity is None:
            identity = await known.read(hashed)
        self._check(identity, route, now)
        if end_user is None:
            return identity.caller
        return await self._for_end_user(known, identity, end_user)

    async def by_hash(
        self, key_hash: str, *, user_id: str | None, team_id: str | None, end_user: str | None
    ) -> Caller:
        """Return a caller that LiteLLM has identified, and whose route LiteLLM has checked.

        Args:
            key_hash: the hash of the caller's key, or MASTER_KEY_NAME. A session of LiteLLM's
                pages has a hash that is in no table.
            user_id: the user of such a session; for a key in the table, the table's user counts.
            team_id: the team of such a session, likewise.
            end_user: the end user that the request is made for.

        Raises:
            AuthenticationError, PermissionDeniedError, InvalidRequestError, UnavailableError: as in
                `identify`.
        """
        if self._master is None or key_hash == MASTER_KEY_NAME:
            return await self._of_admin(end_user)
        known = self._known
        if known is None:
            raise refusals.no_database()
        if self._refuses and not self._database.answers:
            raise refusals.database_away()
        now = time.time()
        identity = known.fresh(key_hash, now)
        if identity is None:
            key = Wanted(key_hash, user_id, team_id)
            identity = known.fresh(key, now) or await known.read(key)
        self._check(identity, "", now)
        if end_user is None:
            return identity.caller
        return await self._for_end_user(known, identity, end_user)

    def resolve(self, caller: Caller, model: str, *, route: str = "/chat/completions") -> str:
        """Return the alias that a name stands for: by the caller's own names, then the router's.

        Args:
            caller: the caller.
            model: the name in the request.
            route: the path, which LiteLLM's error message names.

        Raises:
            PermissionDeniedError: the caller may not ask for this model.
            InvalidRequestError: the model is not configured.
        """
        if caller.models is not None and model not in caller.models:
            rules = caller.rules if isinstance(caller, KnownCaller) else None
            kind = rules.denied_by(model, self._catalogue) if rules else "key"
            if kind is not None:
                raise refusals.model_denied(model, kind)
        name = caller.aliases.get(model, model) if caller.aliases else model
        name = self._catalogue.group_targets.get(name, name)
        if not self._models.match(name):
            raise refusals.unknown_model(name, route)
        return name

    def visible_aliases(self, caller: Caller) -> list[str]:
        """Return the names for GET /models: the configured ones that the caller may ask for."""
        shown, allowed = self._catalogue.shown, caller.models
        return [name for name in shown if allowed is None or name in allowed]

    def _check(self, identity: Identity, route: str, now: float) -> None:
        """Refuse a key that is blocked, has expired or may not ask for the route.

        A route of "" is not checked.
        """
        if identity.refusal is not None:
            raise identity.refusal()
        if identity.expires < now:
            raise refusals.expired(identity.expires, now)
        if identity.routes and route and not routes.is_allowed(route, identity.routes):
            raise refusals.route_denied(route, identity.routes)

    async def _of_admin(self, end_user: str | None) -> Caller:
        if end_user is None:
            return self._admin
        _check_end_user(end_user)
        if self._known is None:
            entity = Entity(Kind.END_USER, end_user, end_user, position=Position(self._journal_id))
            return Caller(
                key_hash=self._admin.key_hash,
                is_admin=True,
                user_id=ADMIN_USER,
                end_user_id=end_user,
                entities=(*self._admin.entities, entity),
            )
        return await self._known.for_end_user(Identity(self._admin), end_user)

    async def _for_end_user(self, known: KnownCallers, identity: Identity, end_user: str) -> Caller:
        _check_end_user(end_user)
        return await known.for_end_user(identity, end_user)


def _check_end_user(end_user: str) -> None:
    if len(end_user) > MAX_END_USER or "\0" in end_user:
        raise refusals.wrong_end_user()


def _hash(secret: str) -> str:
    """Return a key's hash as LiteLLM stores it, also for text that is not valid Unicode."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()

"""The table of deployments in cooldown, written by one gateway and obeyed by the others."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Protocol

from gateway.replicas import tables
from gateway.routing.failure import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gateway.access.database import Database
    from gateway.config.deployment import Deployment
    from gateway.routing.deployment_state import DeploymentState


class Deployments(Protocol):
    """The part of the router's deployments that is used here."""

    def record_remote_cooldown(self, deployment_id: str, failure: Failure, seconds: float) -> None:
        """Record that another gateway has a deployment in cooldown, for at least `seconds`."""

    def record_remote_recovery(self, deployment_id: str) -> None:
        """Record that another gateway has found a deployment to be back."""


class Cooldowns:
    """Publishes this gateway's cooldowns, and reads those of the others.

    Two gateways mean the same deployment if its id, its base URL and its key are the same. So a
    gateway that was started with another key finds out by itself whether the provider accepts it.

    Args:
        database: the database with the table.
        secret: a secret that all gateways of the stack have. It keeps the key, and the key's plain
            hash, out of the table.
        deployments: the router's deployments.
        states: every deployment of the router, with its state.
        clock: the clock of the states.
    """

    def __init__(
        self,
        database: Database,
        secret: bytes,
        deployments: Deployments,
        states: Iterable[tuple[Deployment, DeploymentState]],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._deployments = deployments
        self._clock = clock
        self._states: dict[str, DeploymentState] = {}
        self._names: dict[str, str] = {}
        for deployment, state in states:
            self._states[deployment.id] = state
            self._names[deployment.id] = _name(deployment, secret)
        self._ids = {name: deployment_id for deployment_id, name in self._names.items()}
        self._changed: dict[str, None] = {}  # a set that keeps the order
        self._published_at: dict[str, str] = {}  # the table's rows as last read, by the name there

    def changed(self, deployment_id: str) -> None:
        """Record that a deployment's cooldown has begun or ended here; `publish` publishes it."""
        self._changed[deployment_id] = None

    async def publish(self) -> None:
        """Publish what has changed here.

        Raises:
            DatabaseAwayError: the database does not answer; the next call publishes the rest.
        """
        while self._changed:
            deployment_id, _ = self._changed.popitem()
            try:
                await self._publish_one(self._names[deployment_id], self._states[deployment_id])
            except BaseException:
                self.changed(deployment_id)
                raise

    def read(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Apply the whole table, as it was read."""
        before = self._published_at
        self._published_at = {row["deployment"]: row["told_at"] for row in rows}
        for row in rows:
            deployment_id = self._ids.get(row["deployment"])
            if deployment_id is not None and before.get(row["deployment"]) != row["told_at"]:
                failure = Failure(FailureKind(row["kind"]), row["status"])
                self._deployments.record_remote_cooldown(
                    deployment_id, failure, float(row["seconds"])
                )
        for name in before.keys() - self._published_at.keys():
            deployment_id = self._ids.get(name)
            if deployment_id is not None and deployment_id not in self._changed:
                self._deployments.record_remote_recovery(deployment_id)

    async def _publish_one(self, name: str, state: DeploymentState) -> None:
        if state.in_cooldown and state.failure is not None:
            values = {
                "deployment": name,
                "kind": state.failure.kind.value,
                "status": state.failure.status,
                "seconds": max(0.0, state.not_before - self._clock()),
            }
            for told_at, _ in await self._database.fetch(tables.BEGIN_COOLDOWN, values):
                # Reading this row back does not count as a change.
                self._published_at[name] = told_at
        elif name in self._published_at:
            told_at = self._published_at[name]
            await self._database.fetch(
                tables.END_COOLDOWN, {"deployment": name, "told_at": told_at}
            )


def _name(deployment: Deployment, secret: bytes) -> str:
    text = "\0".join(("deployment", deployment.id, deployment.base or "", deployment.key or ""))
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()

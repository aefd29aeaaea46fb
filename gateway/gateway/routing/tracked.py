"""A deployment with everything that the running process knows about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.routing.failure import FailureKind

if TYPE_CHECKING:
    import asyncio

    from gateway.config.deployment import Deployment
    from gateway.providers.reply import Provider
    from gateway.routing.deployment_state import DeploymentState
    from gateway.routing.load import Load


@dataclass(slots=True, eq=False)
class TrackedDeployment:
    """A deployment with its state and its load.

    Attributes:
        deployment: the deployment, as configured.
        provider: the provider that asks it.
        state: whether it is in use or in cooldown.
        load: its load.
        canaries: canary requests to it that are under way.
    """

    deployment: Deployment
    provider: Provider
    state: DeploymentState
    load: Load
    canaries: set[asyncio.Task[None]] = field(default_factory=set)

    def __str__(self) -> str:
        return f"{self.deployment.alias} ({self.deployment.full_model})"

    def describe(self) -> str:
        """Return why it is in cooldown, in the words of the caller's error."""
        reason = self.state.failure or self.state.condition.value
        return f"{self.deployment.alias}: {reason}"

    @property
    def reason(self) -> FailureKind:
        """The kind of failure that put it in cooldown."""
        return self.state.failure.kind if self.state.failure else FailureKind.UNREACHABLE

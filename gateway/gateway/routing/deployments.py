"""All deployments with their state, which attempts and checks change; changes are logged here."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gateway.routing.canary import takes_canary_requests
from gateway.routing.deployment_state import Condition, DeploymentState
from gateway.routing.failure import Failure, FailureKind
from gateway.routing.load import Load
from gateway.routing.tracked import TrackedDeployment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from gateway.config.deployment import Deployment, Models, Protocol
    from gateway.providers.reply import Provider
    from gateway.routing.settings import FailoverSettings

LOG = logging.getLogger(__name__)
CLOCK = time.monotonic


class Deployments:
    """Every deployment with its state.

    Args:
        models: the configuration.
        providers: the providers that ask deployments, by protocol.
        settings: the settings of failover.

    Attributes:
        start_checks: called when a deployment is in cooldown, so that checks begin.
        changed: called with the id of a deployment whose cooldown began, went on or ended here.
        check_from_here: called with a deployment that another gateway cannot reach.
    """

    def __init__(
        self,
        models: Models,
        providers: Mapping[Protocol, Provider],
        settings: FailoverSettings,
    ) -> None:
        samples = int(models.router.strategy_args.get("max_latency_list_size", 10))
        self._all = tuple(
            TrackedDeployment(
                each,
                providers[each.protocol],
                DeploymentState(settings, takes_canary_requests(each, settings.canary_requests)),
                Load(each, samples),
            )
            for each in models.deployments
        )
        self._refused_keys: set[str] = set()
        self.start_checks: Callable[[], None] = lambda: None
        self.changed: Callable[[str], None] = lambda _: None
        self.check_from_here: Callable[[TrackedDeployment], None] = lambda _: None

    def __iter__(self) -> Iterator[TrackedDeployment]:
        return iter(self._all)

    def by_alias(self) -> dict[str, tuple[TrackedDeployment, ...]]:
        """Return the deployments of each alias."""
        found: dict[str, list[TrackedDeployment]] = {}
        for each in self._all:
            found.setdefault(each.deployment.alias, []).append(each)
        return {alias: tuple(deployments) for alias, deployments in found.items()}

    def tracked(self, found: Sequence[Deployment]) -> tuple[TrackedDeployment, ...]:
        """Return deployments with their state, each under its own alias.

        A deployment that a wildcard matches shares the state of the wildcard's entry, because both
        have the same provider and key.
        """
        by_id = {each.deployment.id: each for each in self._all}
        return tuple(replace(by_id[each.id], deployment=each) for each in found if each.id in by_id)

    def record_failure(self, tracked: TrackedDeployment, failure: Failure, started: float) -> None:
        """Record a failed attempt that began at `started`.

        An unreachable deployment makes every deployment with the same base URL unreachable.
        """
        if failure.kind is FailureKind.REQUEST:
            return
        base = tracked.deployment.base
        affected: Iterable[TrackedDeployment] = (tracked,)
        if failure.kind is FailureKind.UNREACHABLE and base is not None:
            affected = [each for each in self._all if each.deployment.base == base]
        now = CLOCK()
        for each in affected:
            if each.state.record_failure(failure, started=started, now=now):
                self._log_cooldown(each)
                self.changed(each.deployment.id)
        if any(each.state.in_cooldown for each in affected):
            self.start_checks()

    def record_success(self, tracked: TrackedDeployment, now: float) -> None:
        """Record an answer."""
        if tracked.state.record_success(now):
            self._record_end(tracked)

    def record_health_check(self, tracked: TrackedDeployment, *, healthy: bool) -> None:
        """Record the result of a health check."""
        if tracked.state.record_health_check(CLOCK(), healthy=healthy):
            self._record_end(tracked)

    def record_remote_cooldown(self, deployment_id: str, failure: Failure, seconds: float) -> None:
        """Record that another gateway has a deployment in cooldown, for at least `seconds`.

        What a provider answers to one gateway, it answers to all. But if another gateway cannot
        connect, the trouble may be its own: then the deployment is checked from here first.
        """
        for each in self._all:
            if each.deployment.id == deployment_id:
                if failure.kind is FailureKind.UNREACHABLE:
                    self.check_from_here(each)
                    continue
                each.state.record_remote_cooldown(failure, seconds=seconds, now=CLOCK())
                LOG.warning("%s is in cooldown at another gateway: %s", each, failure)
                self.start_checks()

    def record_unreachable(self, tracked: TrackedDeployment) -> None:
        """Record that a deployment which another gateway cannot reach is unreachable here, too."""
        failure, now = Failure(FailureKind.UNREACHABLE), CLOCK()
        if not tracked.state.in_cooldown:
            tracked.state.record_failure(failure, started=now, now=now)
            self._log_cooldown(tracked)
            self.start_checks()

    def record_remote_recovery(self, deployment_id: str) -> None:
        """Record that another gateway has found a deployment to be back."""
        for each in self._all:
            if each.deployment.id == deployment_id and each.state.record_remote_recovery(CLOCK()):
                LOG.info("%s is back in use: another gateway found that it has recovered", each)

    def begin_attempt(self, tracked: TrackedDeployment, now: float) -> None:
        """Record that an attempt begins."""
        tracked.load.begin(now)
        if tracked.state.on_trial and tracked.state.begin_attempt(now):
            self.start_checks()

    def status(self) -> list[dict[str, Any]]:
        """Return one entry for each deployment, with its names and its condition."""
        return [_status(each) for each in self._all]

    def _record_end(self, tracked: TrackedDeployment) -> None:
        LOG.info("%s is back in use", tracked)
        self.changed(tracked.deployment.id)

    def _log_cooldown(self, tracked: TrackedDeployment) -> None:
        """Log that a deployment is in cooldown; log a refused key only once, without its value."""
        state = tracked.state
        if state.condition is not Condition.UNAUTHORISED:
            LOG.warning("%s is in cooldown: %s", tracked, state.failure)
            return
        if tracked.deployment.id in self._refused_keys:
            return
        self._refused_keys.add(tracked.deployment.id)
        LOG.error(
            "%s is in cooldown: the provider refused the key in %s (%s); set a valid one and "
            "restart",
            tracked,
            key_variable(tracked.deployment, os.environ) or "its api_key",
            state.failure,
        )


def key_variable(deployment: Deployment, variables: Mapping[str, str]) -> str | None:
    """Return the name of the variable with a deployment's key; unlike the key, it may be logged."""
    if not deployment.key:
        return None
    names = sorted(name for name, value in variables.items() if value == deployment.key)
    named_so = [name for name in names if name.endswith(("_KEY", "_TOKEN"))]
    return next(iter(named_so or names), None)


def earliest_return(deployments: Iterable[TrackedDeployment], now: float) -> float:
    """Return the seconds until the first of the deployments can be back; 0 when one is in use."""
    return min((each.state.retry_in(now) for each in deployments), default=0.0)


def _status(tracked: TrackedDeployment) -> dict[str, Any]:
    deployment, state = tracked.deployment, tracked.state
    now = CLOCK()
    return {
        "alias": deployment.alias,
        "deployment": deployment.id,
        "model": deployment.full_model,
        "condition": state.condition.value,
        "reason": str(state.failure) if state.in_cooldown else None,
        "key": key_variable(deployment, os.environ),
        "seconds": round(now - state.since, 1) if state.since else None,
        "retry_in": round(state.retry_in(now), 1),
    }

"""Which deployment of an alias is asked next, or why none can be asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from gateway.routing.context_check import prompt_tokens
from gateway.routing.deployment_state import Condition
from gateway.routing.deployments import earliest_return
from gateway.routing.tags import with_tags

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from gateway.config.deployment import RouterSettings
    from gateway.request import Request
    from gateway.routing.provider_budgets import ProviderBudgets
    from gateway.routing.strategies import Strategy
    from gateway.routing.tracked import TrackedDeployment


class Obstacle(Enum):
    """Why no deployment of an alias can be asked."""

    UNKNOWN = "there is no such model"
    IN_COOLDOWN = "in cooldown"
    BUSY = "at its limit of parallel requests"
    AT_LIMIT = "at its limit of requests or tokens a minute"
    OVER_BUDGET = "over its provider's budget"
    TAGS = "not for the tags of this request"
    CONTEXT = "its context is too small for this prompt"


@dataclass(frozen=True, slots=True)
class NoDeployment:
    """No deployment can be asked.

    Attributes:
        obstacle: the reason.
        wait: seconds until the reason may be gone; 0 when waiting does not help.
    """

    obstacle: Obstacle
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Group:
    """The deployments of one alias.

    Attributes:
        alias: the alias.
        deployments: all its deployments.
        is_plain: whether only their state decides which of them can be asked.
        orders: the distinct orders, the lowest first.
        by_tag: whether deployments are chosen by tag.
    """

    alias: str
    deployments: tuple[TrackedDeployment, ...]
    is_plain: bool
    orders: tuple[int, ...]
    by_tag: bool


class Selection:
    """Chooses deployments.

    Args:
        router: the settings of routing.
        strategy: picks one of the deployments that can be asked.
        budgets: the budgets of the providers.
    """

    def __init__(
        self, router: RouterSettings, strategy: Strategy, budgets: ProviderBudgets
    ) -> None:
        self._router = router
        self._strategy = strategy
        self._budgets = budgets

    def group(self, alias: str, deployments: tuple[TrackedDeployment, ...]) -> Group:
        """Return the group of an alias's deployments."""
        by_tag = self._router.enable_tag_filtering
        for each in deployments:
            own = each.deployment.info.get("enable_tag_filtering")
            if own is not None:
                by_tag = bool(own)
                break
        orders = tuple(sorted({each.deployment.order for each in deployments}))
        is_limited = any(each.load.is_limited for each in deployments)
        checks = self._router.enable_pre_call_checks or bool(self._budgets)
        return Group(
            alias,
            deployments,
            not (by_tag or is_limited or checks or len(orders) > 1),
            orders,
            by_tag,
        )

    def choose(
        self,
        group: Group,
        request: Request,
        now: float,
        avoid: Collection[TrackedDeployment] = (),
        above: int | None = None,
    ) -> TrackedDeployment | NoDeployment:
        """Return the deployment to ask.

        Args:
            group: the deployments of the alias.
            request: the request.
            now: the time.
            avoid: deployments that already failed this request; they are asked only if no other can
                be.
            above: only deployments of a higher order than this are asked; None for all.
        """
        deployments = group.deployments
        in_use: Sequence[TrackedDeployment] = [
            each for each in deployments if each.state.condition is Condition.UP
        ]
        if not in_use:
            return NoDeployment(Obstacle.IN_COOLDOWN, earliest_return(deployments, now))
        if not group.is_plain:
            found = self._suitable(group, in_use, request, now, above)
            if isinstance(found, NoDeployment):
                return found
            in_use = found
        if len(in_use) > 1:
            if avoid:
                in_use = [each for each in in_use if each not in avoid] or in_use
            return self._strategy.pick(in_use, request)
        return in_use[0]

    def _suitable(
        self,
        group: Group,
        found: Sequence[TrackedDeployment],
        request: Request,
        now: float,
        above: int | None,
    ) -> Sequence[TrackedDeployment] | NoDeployment:
        """Return the deployments that may take a request.

        Provider budgets are checked first, then context, tags, order and limits.
        """
        if self._budgets:
            everyone = found
            spent = self._budgets.is_spent
            found = [each for each in everyone if not spent(each.deployment.provider, now)]
            if not found:
                free_in = self._budgets.free_in
                wait = min(free_in(each.deployment.provider, now) for each in everyone)
                return NoDeployment(Obstacle.OVER_BUDGET, wait)
        if self._router.enable_pre_call_checks:
            found = _with_room(found, request)
            if not found:
                return NoDeployment(Obstacle.CONTEXT)
        if group.by_tag:
            found = with_tags(found, group.deployments, request.controls.tags)
            if not found:
                return NoDeployment(Obstacle.TAGS)
        if len(group.orders) > 1:
            if above is not None:
                found = [each for each in found if each.deployment.order > above]
            if not found:
                return NoDeployment(Obstacle.IN_COOLDOWN, earliest_return(group.deployments, now))
            lowest = min(each.deployment.order for each in found)
            found = [each for each in found if each.deployment.order == lowest]
        return self._within_limits(found, request, now)

    def _within_limits(
        self, found: Sequence[TrackedDeployment], request: Request, now: float
    ) -> Sequence[TrackedDeployment] | NoDeployment:
        keeps_requests = self._router.enable_pre_call_checks or self._strategy.keeps_minute_limits
        keeps_tokens = self._strategy.keeps_minute_limits
        if keeps_requests:
            tokens = 0
            if keeps_tokens and any(each.load.tpm != math.inf for each in found):
                tokens = prompt_tokens(request)
            free = []
            for each in found:
                load = each.load
                load.roll(now)
                over_tokens = keeps_tokens and load.tokens + tokens > load.tpm
                if load.requests < load.rpm and not over_tokens:
                    free.append(each)
            if not free:
                return NoDeployment(Obstacle.AT_LIMIT, found[0].load.next_minute_in(now))
            found = free
        free = [each for each in found if each.load.in_flight < each.load.max_parallel]
        return free or NoDeployment(Obstacle.BUSY, 1.0)


def _with_room(found: Sequence[TrackedDeployment], request: Request) -> Sequence[TrackedDeployment]:
    """Return the deployments whose context is large enough, estimating the prompt's tokens."""
    limits = [each.deployment.max_input_tokens for each in found]
    if all(limit is None or request.size <= limit for limit in limits):
        return found  # certain without an estimate: no prompt has more tokens than bytes
    tokens = prompt_tokens(request)
    return [
        each for each, limit in zip(found, limits, strict=True) if limit is None or tokens <= limit
    ]

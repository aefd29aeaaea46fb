"""From a request to an answer: an alias's deployments, with retries, and then its fallbacks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.routing.answer import Answer
from gateway.routing.attempts import CLOCK, Attempts
from gateway.routing.caller_error import caller_error
from gateway.routing.deployments import Deployments
from gateway.routing.failure import AttemptFailedError
from gateway.routing.fallbacks import FallbackRules
from gateway.routing.outcome import NoAnswer
from gateway.routing.provider_budgets import ProviderBudgets
from gateway.routing.recovery import Recovery
from gateway.routing.retries import RetryRules
from gateway.routing.schema_repair import is_paid_out, repair_request, schema_of, text_of
from gateway.routing.selection import NoDeployment, Obstacle, Selection
from gateway.routing.strategies import strategy_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from gateway.config.deployment import Deployment, Models, Protocol
    from gateway.providers.reply import Provider
    from gateway.request import Bill, Request, Usage
    from gateway.routing.deployment_state import DeploymentState
    from gateway.routing.schema_check import RequestedSchema
    from gateway.routing.selection import Group
    from gateway.routing.settings import FailoverSettings
    from gateway.routing.tracked import TrackedDeployment


class Router:
    """Finds an answer to each request.

    Args:
        models: the configuration.
        providers: the providers that ask deployments, by protocol.
        settings: the settings of failover.
        bill: returns what an answer cost.
        record_canary: called with each canary request that was answered, to record its cost.

    Attributes:
        deployments: all deployments, with their state.
    """

    def __init__(
        self,
        models: Models,
        providers: Mapping[Protocol, Provider],
        settings: FailoverSettings,
        bill: Callable[[Deployment, Request, Usage], Bill],
        record_canary: Callable[[Request], None],
    ) -> None:
        router = models.router
        budgets = ProviderBudgets(router.provider_budgets)
        self._models = models
        self._router = router
        self.repairs = settings.schema_repair  # whether an answer may be asked for again
        self.deployments = Deployments(models, providers, settings)
        self._attempts = Attempts(models, self.deployments, budgets, bill)
        self._recovery = Recovery(
            self.deployments, self._attempts, settings, router.connect_timeout, record_canary
        )
        self.deployments.start_checks = self._recovery.watch
        self.deployments.check_from_here = self._recovery.check_from_here
        self._retries = RetryRules(router)
        self._fallbacks = FallbackRules(router)
        strategy = strategy_named(router.strategy, router.strategy_args)
        self._selection = Selection(router, strategy, budgets)
        self._groups = {
            alias: self._selection.group(alias, found)
            for alias, found in self.deployments.by_alias().items()
        }

    @property
    def states(self) -> Iterator[tuple[Deployment, DeploymentState]]:
        """Every deployment with its state."""
        return ((each.deployment, each.state) for each in self.deployments)

    def status(self) -> list[dict[str, Any]]:
        """Return one entry for each deployment, with its names and its condition."""
        return self.deployments.status()

    def start(self) -> None:
        """Begin to check deployments in cooldown; this needs a running event loop."""
        if any(state.in_cooldown for _, state in self.states):
            self._recovery.watch()

    async def close(self) -> None:
        """Stop checking deployments."""
        await self._recovery.close()

    async def answer(self, request: Request) -> Answer:
        """Return an answer. The request lists all attempts, whether one of them succeeds or not.

        Raises:
            GatewayError: no deployment answered.
        """
        alias = self._alias(request.alias)
        found = await self._ask_alias(alias, request)
        if isinstance(found, Answer):
            return found
        return await self._fall_back(found, request)

    def _alias(self, name: str) -> str:
        """Return the alias that a name stands for (model_group_alias)."""
        other = self._router.group_aliases
        return other[name][0] if other and name in other and name not in self._groups else name

    def _group(self, alias: str) -> Group | None:
        """Return the deployments of an alias, of an id, or of a name that a wildcard matches."""
        group = self._groups.get(alias)
        if group is None:
            found = self.deployments.tracked(self._models.match(alias))
            group = self._selection.group(alias, found) if found else None
        return group

    async def _fall_back(self, first: NoAnswer, request: Request) -> Answer:
        """Return another alias's answer: depth first, each alias once.

        Raises:
            GatewayError: no deployment answered.
        """
        ends = [first]
        seen = {first.alias}
        waiting = self._next(first, request)
        while waiting and len(ends) <= self._router.max_fallbacks:
            alias = waiting.pop(0)
            if alias in seen or self._group(alias) is None:  # a request may list unknown aliases
                continue
            seen.add(alias)
            found = await self._ask_alias(alias, request)
            if isinstance(found, Answer):
                return found
            ends.append(found)
            waiting = [*self._next(found, request), *waiting]
        groups = [self._group(end.alias) for end in ends]
        deployments = [each for group in groups if group for each in group.deployments]
        raise caller_error(request, ends, deployments)

    def _next(self, end: NoAnswer, request: Request) -> list[str]:
        allowed = request.caller.models
        own = request.controls.fallbacks is not None
        return [
            self._alias(name)
            for name in self._fallbacks.after(end.alias, request, end.refusal)
            if not own or allowed is None or name in allowed
        ]

    async def _ask_alias(self, alias: str, request: Request) -> Answer | NoAnswer:
        """Return an alias's answer; deployments of the lowest order are asked first."""
        group = self._group(alias)
        if group is None:
            return NoAnswer(alias, no_deployment=NoDeployment(Obstacle.UNKNOWN))
        found = await self._ask_group(group, request, None)
        if len(group.orders) == 1:
            return found
        for order in group.orders[:-1]:
            if isinstance(found, Answer) or found.refusal is not None:
                break
            later = await self._ask_group(group, request, order)
            if isinstance(later, Answer) or later.no_deployment is None:
                found = later
        return found

    async def _ask_group(
        self, group: Group, request: Request, above: int | None
    ) -> Answer | NoAnswer:
        """Return a group's answer, with as many attempts as retries are allowed."""
        choose = self._selection.choose
        chosen = choose(group, request, CLOCK(), (), above)
        if isinstance(chosen, NoDeployment) and chosen.obstacle is Obstacle.BUSY:
            chosen = await self._wait_for_room(group, request, above, chosen)
        if isinstance(chosen, NoDeployment):
            return NoAnswer(group.alias, no_deployment=chosen)
        failed: set[TrackedDeployment] = set()
        retries: int | None = None
        retry = 0
        while True:
            try:
                return await self._ask(group, chosen, request)
            except AttemptFailedError as error:
                failure = error.failure
            last = request.attempts[-1].deployment
            over = (each for each in group.deployments if is_paid_out(request, each))
            failed.update(over, (each for each in group.deployments if each.deployment is last))
            if retries is None:
                retries = self._retries.retries(request, last, failure)
            elif not self._retries.go_on(request, group.alias, failure):
                retries = 0
            if retry >= retries:
                return NoAnswer(group.alias, failure)
            in_use = [each for each in group.deployments if not each.state.in_cooldown]
            if len(in_use) == 1 and in_use[0].deployment is last:
                await asyncio.sleep(self._retries.pause(failure, retry))
            following = choose(group, request, CLOCK(), failed, above)
            if isinstance(following, NoDeployment) or is_paid_out(request, following):
                return NoAnswer(group.alias, failure)
            chosen = following
            retry += 1

    async def _wait_for_room(
        self, group: Group, request: Request, above: int | None, found: NoDeployment
    ) -> TrackedDeployment | NoDeployment:
        """Wait for a deployment to have room; do not wait if another alias could answer instead."""
        if self._fallbacks.after(group.alias, request, None):
            return found
        for retry in range(self._retries.waits(request)):
            await asyncio.sleep(self._retries.pause_for_room(retry))
            chosen = self._selection.choose(group, request, CLOCK(), (), above)
            if not isinstance(chosen, NoDeployment):
                return chosen
        return found

    async def _ask(
        self, group: Group, tracked: TrackedDeployment, request: Request
    ) -> Answer | NoAnswer:
        """Return a deployment's answer, in the schema that the request asks for."""
        if self.repairs and "response_format" in request.body:
            schema = await schema_of(request)
            if schema is not None:
                return await self._in_schema(schema, group, tracked, request)
        return await self._attempts.ask(tracked, request)

    async def _in_schema(
        self,
        schema: RequestedSchema,
        group: Group,
        tracked: TrackedDeployment,
        request: Request,
    ) -> Answer | NoAnswer:
        """Return an answer that keeps to the schema.

        This is the deployment's answer, else its repair, else another deployment's answer.
        """
        asked = {tracked}
        while True:
            asking = request
            for _ in ("answer", "repair"):
                answer = await self._attempts.ask(tracked, asking, to_the_end=True)
                text = text_of(answer)
                broken = None if text is None else await schema.violation(text)
                if text is None or broken is None:
                    return answer
                answer.attempt.broke_schema = True
                if is_paid_out(request, tracked):
                    break
                asking = repair_request(request, text, broken)
            chosen = self._selection.choose(group, request, CLOCK(), asked)
            if isinstance(chosen, NoDeployment) or chosen in asked or is_paid_out(request, chosen):
                return NoAnswer(group.alias, broken=broken or "")
            tracked = chosen
            asked.add(tracked)

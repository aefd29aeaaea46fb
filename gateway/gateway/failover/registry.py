"""All deployments and their states, and the background look at those that are out of use."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import httpx

from gateway.failover.deployment_state import PROBES_CANNOT_SEE, Condition, DeploymentState
from gateway.failover.failure import Failure, FailureKind
from gateway.failover.probe import looks_good
from gateway.failover.probe_call import AT_ONCE, takes_probe_calls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from gateway.failover.settings import FailoverSettings
    from gateway.failover.target import Target

CLOCK = time.monotonic


@dataclass(frozen=True)
class Member:
    """A deployment, its state, and the probe calls to it that are under way."""

    target: Target
    state: DeploymentState
    calls: set[asyncio.Task[None]] = field(default_factory=set, compare=False)


class Registry:
    """Knows every deployment of the router.

    Args:
        settings: of failover.
        changed: called when a deployment goes out of use, again for longer, or comes back.
        answers: makes a probe call to a deployment; returns whether it answered.
    """

    def __init__(
        self,
        settings: FailoverSettings,
        changed: Callable[[Member], None],
        answers: Callable[[Target], Awaitable[bool]],
    ) -> None:
        self._settings = settings
        self._changed = changed
        self._answers = answers
        self._members: dict[str, Member] = {}
        self._watching: asyncio.Task[None] | None = None

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    def get(self, deployment: str | None) -> Member | None:
        """Returns a deployment, or None for one of a caller's own (its key, its base URL)."""
        return self._members.get(deployment or "")

    def knows(self, deployments: Iterable[str]) -> bool:
        """Returns whether these are the deployments, all of them and no other."""
        return self._members.keys() == set(deployments)

    def of_alias(self, alias: str) -> list[Member]:
        """Returns the deployments of an alias."""
        return [member for member in self if member.target.alias == alias]

    def is_out_of_use(self, alias: str) -> bool:
        """Returns whether an alias has deployments, and none of them is up."""
        members = self.of_alias(alias)
        return bool(members) and not any(member.state.is_up for member in members)

    def learn(self, targets: Iterable[Target]) -> None:
        """Takes over the router's deployments; those known already keep their state."""
        members = {}
        for target in targets:
            known = self._members.get(target.deployment)
            if known is None:
                calls = takes_probe_calls(target, self._settings.probe_calls)
                known = Member(target, DeploymentState(self._settings, calls))
            members[target.deployment] = replace(known, target=target)
        self._members = members

    def failed(self, deployment: str | None, failure: Failure, started: float) -> None:
        """Takes note of a failed attempt.

        What cannot be reached is out of reach for every alias that lives there.
        """
        member = self.get(deployment)
        if member is None:
            return
        members = [member]
        if failure.kind is FailureKind.UNREACHABLE and member.target.base is not None:
            members = [other for other in self if other.target.base == member.target.base]
        now = CLOCK()
        for other in members:
            if other.state.failed(failure, started=started, now=now):
                self._changed(other)
        self._watch()

    def succeeded(self, deployment: str | None) -> None:
        """Takes note of an answer."""
        member = self.get(deployment)
        if member is not None and member.state.succeeded(CLOCK()):
            self._changed(member)

    def picked(self, deployment: str | None) -> None:
        """Takes note that an attempt begins."""
        member = self.get(deployment)
        if member is not None and member.state.picked(CLOCK()):
            self._changed(member)
            self._watch()

    async def close(self) -> None:
        """Stops looking."""
        tasks = [task for member in self for task in member.calls]
        if self._watching is not None:
            tasks.append(self._watching)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _watch(self) -> None:
        idle = self._watching is None or self._watching.done()
        if idle and any(not member.state.is_up for member in self):
            self._watching = asyncio.get_running_loop().create_task(self._look_until_all_are_up())

    async def _look_until_all_are_up(self) -> None:
        async with httpx.AsyncClient(timeout=self._settings.probe_timeout) as client:
            while any(not member.state.is_up for member in self):
                await asyncio.sleep(self._until_next_look())
                due = [member for member in self if member.state.wants_probe(CLOCK())]
                await asyncio.gather(*(self._look(member, client) for member in due))

    def _until_next_look(self) -> float:
        """Returns the seconds until the next one is due, one probe interval at most."""
        waits = (member.state.not_before - CLOCK() for member in self if not member.state.is_up)
        return min([self._settings.probe_interval, *(wait for wait in waits if wait > 0)])

    async def _look(self, member: Member, client: httpx.AsyncClient) -> None:
        reason = member.state.failure.kind if member.state.failure else FailureKind.UNREACHABLE
        good = await looks_good(member.target, reason, client)
        if good and member.state.takes_probe_calls and reason in PROBES_CANNOT_SEE:
            self._begin_call(member)
        elif member.state.probed(CLOCK(), good=good):
            self._changed(member)

    def _begin_call(self, member: Member) -> None:
        """Not waited for: a call to what still hangs must not keep the next from being made."""
        if not member.state.wants_probe(CLOCK()) or len(member.calls) >= AT_ONCE:
            return
        member.state.probe_called(CLOCK())
        call = asyncio.get_running_loop().create_task(self._call(member))
        member.calls.add(call)
        call.add_done_callback(member.calls.discard)

    async def _call(self, member: Member) -> None:
        if await self._answers(member.target):
            self.succeeded(member.target.deployment)


def earliest_return(members: Iterable[Member]) -> float:
    """Returns the seconds until one of the deployments can be back; 0 when one is in use."""
    return min((member.state.retry_in(CLOCK()) for member in members), default=0)


def all_limited(members: Iterable[Member]) -> bool:
    """Returns whether all are merely over their rate limit."""
    conditions = {member.state.condition for member in members}
    return conditions == {Condition.LIMITED}

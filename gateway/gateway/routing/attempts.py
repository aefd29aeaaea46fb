"""One attempt: a call to a deployment, with its bill, and what it shows about the deployment."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import UnavailableError
from gateway.providers.reply import PlainReply, Timeouts
from gateway.request import Attempt
from gateway.routing.answer import Answer, AnswerStream
from gateway.routing.failure import AttemptFailedError, Failure, FailureKind
from gateway.routing.timeouts import TimeoutRules, shortened, without_blame

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.deployment import Deployment, Models
    from gateway.request import Bill, Request, Usage
    from gateway.routing.deployments import Deployments
    from gateway.routing.provider_budgets import ProviderBudgets
    from gateway.routing.tracked import TrackedDeployment

LOG = logging.getLogger(__name__)
CLOCK = time.monotonic
SILENCE = 1000.0
"""Seconds that latency-based routing counts for a deployment that hung (lowest_latency.py)."""
OUR_FAULT = Failure(FailureKind.REQUEST, 500, message="the gateway could not make this call")


@dataclass(slots=True)
class Call:
    """An attempt under way.

    Attributes:
        tracked: the deployment that is asked.
        attempt: the attempt, as the request lists it.
        request: the request that is answered.
        configured: the configured timeouts.
        used: the timeouts in use, which the caller may have shortened.
    """

    tracked: TrackedDeployment
    attempt: Attempt
    request: Request
    configured: Timeouts
    used: Timeouts


class Attempts:
    """Makes attempts.

    Args:
        models: the configuration.
        deployments: record the outcome of each attempt.
        budgets: record the cost of each answer.
        bill: returns what an answer cost.

    Attributes:
        keeps_answers: whether answers are kept for spend logs.
    """

    def __init__(
        self,
        models: Models,
        deployments: Deployments,
        budgets: ProviderBudgets,
        bill: Callable[[Deployment, Request, Usage], Bill],
    ) -> None:
        self._timeouts = TimeoutRules(models.router)
        self._deployments = deployments
        self._budgets = budgets
        self._bill = bill
        self.keeps_answers = models.store_prompts

    async def ask(
        self, tracked: TrackedDeployment, request: Request, *, to_the_end: bool = False
    ) -> Answer:
        """Ask a deployment once, and add the attempt to the request's list.

        Args:
            tracked: the deployment.
            request: the request.
            to_the_end: whether to read a stream to its end first, not only to its first token.

        Raises:
            AttemptFailedError: the deployment gave no answer; the attempt has the failure.
        """
        deployment = tracked.deployment
        configured = self._timeouts.configured(deployment, stream=request.stream)
        used = shortened(configured, request.controls.timeout)
        attempt = Attempt(deployment, len(request.attempts) + 1)
        request.attempts.append(attempt)
        self._deployments.begin_attempt(tracked, attempt.started)
        call = Call(tracked, attempt, request, configured, used)
        try:
            reply = await tracked.provider.ask(deployment, request, used)
            if isinstance(reply, PlainReply):
                if reply.data is not None:
                    attempt.response_id = str(reply.data.get("id") or "")
                    if self.keeps_answers:
                        attempt.stored_answer = reply.data
                self.record_success(call, reply.usage)
                return Answer(attempt, reply, None)
        except AttemptFailedError as error:
            raise AttemptFailedError(self.record_failure(call, error.failure)) from error
        except UnavailableError as error:  # the worker is starting, or died under this request
            raise AttemptFailedError(self.record_failure(call, _absence(error))) from error
        except asyncio.CancelledError:  # the caller left
            self.abandon(call)
            raise
        except Exception as error:
            LOG.exception("an attempt at %s broke", tracked)
            raise AttemptFailedError(self.record_failure(call, OUR_FAULT)) from error
        stream = AnswerStream(self, call, reply)
        await stream.open(to_the_end=to_the_end)
        return Answer(attempt, None, stream)

    async def ask_canary(
        self, tracked: TrackedDeployment, request: Request, timeouts: Timeouts
    ) -> None:
        """Ask a deployment for one token; the calling code decides what a failure means.

        Raises:
            AttemptFailedError: the deployment gave no answer.
        """
        attempt = Attempt(tracked.deployment, 1)
        request.attempts.append(attempt)
        try:
            reply = await tracked.provider.ask(tracked.deployment, request, timeouts)
        except AttemptFailedError as error:
            attempt.failure = error.failure
            raise
        finally:
            attempt.ended = CLOCK()
        attempt.bill = self._bill(tracked.deployment, request, reply.usage)
        self._deployments.record_success(tracked, attempt.ended)

    def set_bill(self, call: Call, usage: Usage) -> Bill:
        """Set what an attempt cost, and return it."""
        bill = self._bill(call.tracked.deployment, call.request, usage)
        call.attempt.bill = bill
        return bill

    def record_success(self, call: Call, usage: Usage) -> None:
        """Record a complete answer."""
        bill = self.set_bill(call, usage)
        tracked, attempt = call.tracked, call.attempt
        attempt.ended = now = CLOCK()
        self._budgets.record_cost(tracked.deployment.provider, bill.cost, now)
        first = attempt.first_token
        load = tracked.load
        load.end(now, usage.total)
        load.record_latency(
            now,
            now - attempt.started,
            usage.completion,
            None if first is None else first - attempt.started,
        )
        self._deployments.record_success(tracked, now)

    def record_failure(self, call: Call, failure: Failure) -> Failure:
        """Record a failure; return it, or the request's own failure if that caused it.

        What a stream produced before it broke has been billed already.
        """
        attempt = call.attempt
        seconds = CLOCK() - attempt.started
        attempt.failure = judged = without_blame(failure, call.configured, call.used, seconds)
        self.abandon(call)
        if judged.kind is FailureKind.UNRESPONSIVE:
            call.tracked.load.record_latency(CLOCK(), SILENCE)
        self._deployments.record_failure(call.tracked, judged, attempt.started)
        return judged

    def abandon(self, call: Call) -> None:
        """Record that an attempt is over, without any conclusion about its deployment."""
        call.attempt.ended = now = CLOCK()
        bill = call.attempt.bill
        if bill is not None:
            self._budgets.record_cost(call.tracked.deployment.provider, bill.cost, now)
        call.tracked.load.end(now, bill.usage.total if bill is not None else 0)


def _absence(error: UnavailableError) -> Failure:
    """Return the failure of a part of the gateway, which is not the deployment's fault."""
    return Failure(FailureKind.REQUEST, error.status, error.retry_after, error.message)

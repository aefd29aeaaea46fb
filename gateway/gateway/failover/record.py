"""What happened to one request on its way: every attempt, and what came of it.

A context variable carries it, because LiteLLM's hooks share no object that survives its copies of
a request's parameters; the tasks that LiteLLM starts for a request inherit it.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.failover.failure import Failure


@dataclass
class Attempt:
    """One call to a deployment.

    Attributes:
        alias: the name that the router looked up.
        deployment: LiteLLM's id of it.
        model: the model as LiteLLM writes it.
        failure: why it failed; None while it runs, or when it answered.
        broken_schema: whether it answered, but not in the requested schema.
        cost: in USD, of an answer that broke the schema; it was paid all the same.
        started: on the monotonic clock, in seconds.
        ended: when it failed, on the same clock; None when it did not.
    """

    alias: str
    deployment: str
    model: str
    failure: Failure | None = None
    broken_schema: bool = False
    cost: float = 0.0
    started: float = field(default_factory=time.monotonic)
    ended: float | None = None

    def failed(self, failure: Failure) -> None:
        """Takes note that it failed, now."""
        self.failure = failure
        self.ended = time.monotonic()

    @property
    def outcome(self) -> str:
        """What came of it, in one word."""
        if self.broken_schema:
            return "broke-schema"
        return self.failure.kind.value if self.failure else "answered"


@dataclass
class RequestRecord:
    """One request of a caller.

    Attributes:
        alias: the model that it asked for.
        request_id: LiteLLM's call id.
        attempts: in order.
        last_error: the exception of the last failed attempt.
        was_logged: whether its log line was written.
        answer_was_billed: whether LiteLLM wrote a cost for an attempt already.
        was_answered: whether the caller has an answer, or the beginning of one.
        answering_call: LiteLLM's call id of the stream that is the answer.
        is_probe: whether it is a probe call of the gateway, whose failure is no news.
        call_type: LiteLLM's name for the kind of call, such as acompletion.
        traceparent: what the caller sent to have its trace continued, or "":
            https://www.w3.org/TR/trace-context/#traceparent-header.
        first_token: when a stream's first token could leave, by the monotonic clock; None before,
            and for a plain answer.
        started: on the monotonic clock, in seconds.
    """

    alias: str
    request_id: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    last_error: Exception | None = None
    was_logged: bool = False
    answer_was_billed: bool = False
    was_answered: bool = False
    answering_call: str | None = None
    is_probe: bool = False
    call_type: str = ""
    traceparent: str = ""
    first_token: float | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def last(self) -> Attempt | None:
        """The last attempt: the one that answered, if any did."""
        return self.attempts[-1] if self.attempts else None

    @property
    def aliases(self) -> set[str]:
        """Every alias that was tried, and the one asked for."""
        return {self.alias, *(attempt.alias for attempt in self.attempts)}

    @property
    def fell_back(self) -> bool:
        """Whether another alias than the one asked for was asked last."""
        return self.last is not None and self.last.alias != self.alias

    @property
    def wasted_cost(self) -> float:
        """USD paid for answers that broke the schema."""
        return sum(attempt.cost for attempt in self.attempts)

    def failed(self, failure: Failure, error: Exception) -> Attempt | None:
        """Takes note that the running attempt failed."""
        self.last_error = error
        if self.last is not None and self.last.failure is None:
            self.last.failed(failure)
        return self.last


_CURRENT: ContextVar[RequestRecord | None] = ContextVar("gateway_request", default=None)


def begin_record(alias: str, request_id: str = "", *, is_probe: bool = False) -> RequestRecord:
    """Starts the record of the request that this task handles."""
    record = RequestRecord(alias, request_id, is_probe=is_probe)
    _CURRENT.set(record)
    return record


def current_record() -> RequestRecord | None:
    """Returns the record of the request that this task handles, None outside of one."""
    return _CURRENT.get()


def current_request_id() -> str:
    """Returns the id of the request that this task handles; "" outside of one."""
    record = _CURRENT.get()
    return record.request_id if record is not None else ""

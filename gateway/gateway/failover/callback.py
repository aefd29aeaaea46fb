"""Failover's hooks in LiteLLM: https://docs.litellm.ai/docs/proxy/call_hooks."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from litellm.integrations.custom_logger import CustomLogger

from gateway.failover.caller_error import caller_error, fallback_chain
from gateway.failover.failure import Failure, FailureKind, failure_of
from gateway.failover.probe_call import changes_nothing
from gateway.failover.record import Attempt, begin_record, current_record
from gateway.failover.report import Bill, headers_of, log_line
from gateway.request_ids import with_client_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import HTTPException

    from gateway.failover.record import RequestRecord
    from gateway.failover.registry import Registry

    Trace = Callable[[RequestRecord, str, Bill], None]

OK = 200
INTERNAL_ERROR = 500

_TAKE_HEADERS = ("acompletion", "aembedding", "atext_completion")
"""The kinds of call that hand `extra_headers` on to every provider."""


class Observer(Protocol):
    """Who is told of requests; on the event loop, so it must not take time."""

    def finished(self, record: RequestRecord, status: int) -> None:
        """Takes note of a request that has ended, with the HTTP status that its caller got."""

    def billed(self, payload: Mapping[str, Any]) -> None:
        """Takes note of what an answer cost: LiteLLM's `standard_logging_object`."""


class FailoverCallback(CustomLogger):  # type: ignore[misc] # LiteLLM is not typed
    """Watches every attempt, and tells the caller who answered.

    Args:
        registry: the deployments.
        before_request: called before each request is routed.
        fallbacks: returns the router's.
        write: writes a line to the log.
        json_logs: whether that line is JSON.
        trace: writes the trace of a request that ended; None when nobody wants it.

    Attributes:
        observer: is told of each request, once there is one.
    """

    def __init__(  # noqa: PLR0913 -- each is one thing that it asks of the outside
        self,
        registry: Registry,
        before_request: Callable[[], None],
        fallbacks: Callable[[], object],
        write: Callable[[str], None],
        *,
        json_logs: bool,
        trace: Trace | None = None,
    ) -> None:
        super().__init__()
        self.observer: Observer | None = None
        self._registry = registry
        self._before_request = before_request
        self._fallbacks = fallbacks
        self._write = write
        self._json_logs = json_logs
        self._trace = trace

    async def async_pre_call_hook(
        self,
        user_api_key_dict: object,
        cache: object,
        data: dict[str, Any],
        call_type: str,
    ) -> None:
        """Begins a request's record."""
        del user_api_key_dict, cache
        self._before_request()
        record = begin_record(str(data.get("model")), str(data.get("litellm_call_id") or ""))
        record.call_type = call_type
        headers = (data.get("proxy_server_request") or {}).get("headers") or {}
        record.traceparent = str(headers.get("traceparent") or "")

    async def async_pre_call_deployment_hook(
        self, kwargs: dict[str, Any], call_type: object
    ) -> dict[str, Any] | None:
        """Takes note of an attempt that begins, of any kind of call.

        Returns the parameters with the request's id for the provider, where it can be sent.
        """
        deployment = _deployment(kwargs)
        alias = str(_metadata(kwargs).get("model_group") or kwargs.get("model"))
        record = current_record() or begin_record(alias)
        record.attempts.append(Attempt(alias, str(deployment), str(kwargs.get("model"))))
        self._registry.picked(deployment)
        if getattr(call_type, "value", None) not in _TAKE_HEADERS:
            return None
        headers = with_client_request_id(kwargs.get("extra_headers"), record.request_id)
        return {**kwargs, "extra_headers": headers} if headers else None

    async def async_post_call_success_deployment_hook(
        self, request_data: dict[str, Any], response: object, call_type: object
    ) -> None:
        """Takes note of an answer; a stream's is noted at its end."""
        del response, call_type
        self._registry.succeeded(_deployment(request_data))

    async def async_post_call_failure_deployment_hook(
        self,
        request_data: Mapping[str, Any],
        exception: Exception,
        call_type: object,
        fallback_depth: int | None = None,
    ) -> None:
        """Takes note of a failed attempt, before the router decides whether to retry."""
        del call_type, fallback_depth
        failure = failure_of(exception)
        if _callers_own_timeout(request_data, failure):
            failure = Failure(FailureKind.REQUEST, failure.status)
        record = current_record()
        attempt = record.failed(failure, exception) if record is not None else None
        if record is not None and record.is_probe and changes_nothing(failure):
            return
        started = attempt.started if attempt else time.monotonic()
        self._registry.failed(_deployment(request_data), failure, started)

    async def async_post_call_response_headers_hook(
        self,
        data: dict[str, Any],
        user_api_key_dict: object,
        response: object,
        request_headers: dict[str, str] | None = None,
        litellm_call_info: dict[str, Any] | None = None,
    ) -> dict[str, str] | None:
        """Returns the headers that say who answered; a plain answer is logged here."""
        del user_api_key_dict, request_headers, litellm_call_info
        record = current_record()
        if record is None:
            return None
        bill = Bill()
        if response is not None and not hasattr(response, "__anext__"):
            record.request_id = str(data.get("litellm_call_id") or record.request_id)
            bill = self._known_bill(record, _bill_of_response(response))
            self._log(record, OK, bill)
        return headers_of(record, bill)

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: object, start_time: object, end_time: object
    ) -> None:
        """Logs a stream, whose cost LiteLLM knows at its end; tells what each answer cost."""
        del response_obj, start_time, end_time
        record = current_record()
        payload = kwargs.get("standard_logging_object")
        if payload and self.observer is not None:
            self.observer.billed(payload)
        if record is None or not payload or record.answering_call is None:
            return
        broke = record.last is not None and record.last.failure is not None
        if kwargs.get("litellm_call_id") == record.answering_call and not broke:
            self._log(record, OK, _bill_of_payload(payload))

    async def async_post_call_failure_hook(
        self,
        request_data: dict[str, Any],
        original_exception: Exception,
        user_api_key_dict: object,
        traceback_str: str | None = None,
    ) -> HTTPException | None:
        """Logs a failed request, and puts its error in the gateway's words."""
        del user_api_key_dict, traceback_str
        record = current_record()
        if record is None:
            return None
        record.request_id = str(request_data.get("litellm_call_id") or record.request_id)
        chain = self._chain(record.alias, request_data)
        error = caller_error(record, chain, self._registry, original_exception)
        status = error.status if error else _status_of(original_exception)
        self._log(record, status, Bill(cost=0))
        if error is None:
            return None
        from fastapi import HTTPException  # noqa: PLC0415 -- only in the proxy

        headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
        return HTTPException(error.status, error.message, headers)

    def _chain(self, alias: str, request: Mapping[str, Any]) -> list[str]:
        if request.get("disable_fallbacks") is True:
            return []
        return fallback_chain(alias, request.get("fallbacks", self._fallbacks()))

    def _known_bill(self, record: RequestRecord, bill: Bill) -> Bill:
        """Returns a bill without the 0 that LiteLLM writes for a model that has no price."""
        member = self._registry.get(record.last.deployment) if record.last else None
        if bill.cost or (member is not None and member.target.is_free):
            return bill
        return replace(bill, cost=None)

    def _log(self, record: RequestRecord, status: int, bill: Bill) -> None:
        if record.was_logged:
            return
        record.was_logged = True
        if self.observer is not None:
            self.observer.finished(record, status)
        shown = "ok" if status == OK else f"error {status}"
        self._write(log_line(record, shown, bill, as_json=self._json_logs))
        if self._trace is not None:
            self._trace(record, shown, bill)


def _status_of(error: Exception) -> int:
    """Returns the HTTP status of an error of LiteLLM's; some write it as text."""
    found = str(getattr(error, "status_code", ""))
    return int(found) if found.isdigit() else INTERNAL_ERROR


def _metadata(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    found = parameters.get("litellm_metadata") or parameters.get("metadata")
    return found if isinstance(found, dict) else {}


def _deployment(parameters: Mapping[str, Any]) -> str | None:
    """Returns the id of the deployment that a call goes to."""
    info = parameters.get("model_info") or _metadata(parameters).get("model_info") or {}
    found = info.get("id")
    return None if found is None else str(found)


def _callers_own_timeout(request_data: Mapping[str, Any], failure: Failure) -> bool:
    """Whether a caller asked for so short a timeout that it proves nothing."""
    if failure.kind is not FailureKind.UNRESPONSIVE:
        return False
    from datetime import datetime  # noqa: PLC0415 -- for this comparison only

    from litellm.router_utils.cooldown_handlers import is_caller_timeout_408  # noqa: PLC0415

    details = getattr(request_data.get("litellm_logging_obj"), "model_call_details", None)
    now = datetime.now()  # noqa: DTZ005 -- LiteLLM's own times have no zone
    return bool(details and is_caller_timeout_408(details, 408, ended=now))


def _bill_of_response(response: object) -> Bill:
    hidden = getattr(response, "_hidden_params", None) or {}
    usage = getattr(response, "usage", None)
    cost = hidden.get("response_cost")
    return Bill(
        cost=None if cost is None else float(cost),
        prompt_tokens=getattr(usage, "prompt_tokens", None),
        completion_tokens=getattr(usage, "completion_tokens", None),
    )


def _bill_of_payload(payload: Mapping[str, Any]) -> Bill:
    return Bill(
        cost=payload.get("response_cost"),
        prompt_tokens=payload.get("prompt_tokens"),
        completion_tokens=payload.get("completion_tokens"),
    )

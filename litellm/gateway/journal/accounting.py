"""Connects LiteLLM's accounting with the answer that waits for it. Imports LiteLLM.

LiteLLM accounts for a call after it has the answer: for a plain one in a task of its logging
worker, for a stream in a task that starts when its last piece was read. Both are begun inside of
the request, and both are noticed here at that moment.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from litellm.integrations.custom_logger import CustomLogger
from litellm.litellm_core_utils.litellm_logging import Logging
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

from gateway.journal.answer import current_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


def watch_accounting() -> None:
    """Makes every answer wait for the accounting that it caused; to be called once."""
    Logging.dispatch_success_handlers = _watched(Logging.dispatch_success_handlers)
    enqueue = GLOBAL_LOGGING_WORKER.enqueue

    def enqueue_watched(coroutine: Coroutine[Any, Any, Any]) -> None:
        answer = current_answer()
        enqueue(coroutine if answer is None else answer.accounting(coroutine))

    GLOBAL_LOGGING_WORKER.enqueue = enqueue_watched


def _watched(
    method: Callable[..., Coroutine[Any, Any, Any]],
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Returns a method that tells the answer at its call, not when its coroutine begins to run."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:  # noqa: ANN401 -- handed on
        work = method(*args, **kwargs)
        answer = current_answer()
        return work if answer is None else answer.accounting(work)

    return call


class UnpricedLogger(CustomLogger):  # type: ignore[misc] # LiteLLM is not typed
    """Sees to it that an answer without a price has a row too, of 0 and marked so.

    LiteLLM's own callback writes none when it cannot work out a cost.
    """

    async def async_log_success_event(
        self,
        kwargs: dict[str, Any],
        response_obj: object,
        start_time: Any,  # noqa: ANN401 -- LiteLLM is not typed
        end_time: Any,  # noqa: ANN401 -- as above
    ) -> None:
        """Writes the row that LiteLLM did not write."""
        from litellm.proxy import proxy_server  # noqa: PLC0415 -- imported long before

        payload = kwargs.get("standard_logging_object")
        if payload is None or payload.get("response_cost") is not None:
            return
        metadata = (kwargs.get("litellm_params") or {}).get("metadata") or {}
        await proxy_server.proxy_logging_obj.db_spend_update_writer.update_database(
            token=metadata.get("user_api_key"),
            user_id=metadata.get("user_api_key_user_id"),
            end_user_id=metadata.get("user_api_key_end_user_id"),
            team_id=metadata.get("user_api_key_team_id"),
            org_id=metadata.get("user_api_key_org_id"),
            kwargs=kwargs,
            completion_response=response_obj,
            start_time=start_time,
            end_time=end_time,
            response_cost=0.0,
        )

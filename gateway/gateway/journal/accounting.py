"""Connects LiteLLM's accounting with the answer that waits for it. Imports LiteLLM.

LiteLLM accounts for a call after it has the answer: for a plain one in a task of its logging
worker, for a stream in a task that starts when its last piece was read. Both are begun inside of
the request, and both are noticed here at that moment. If all that a note needs is known by then,
it is written, and the answer waits for it alone; else for the accounting.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import litellm.utils
from litellm.integrations.custom_logger import CustomLogger
from litellm.litellm_core_utils.litellm_logging import Logging
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

from gateway.journal.answer import current_answer
from gateway.journal.note import GivenUp
from gateway.journal.note_taker import take_note
from gateway.journal.record import NOTE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from gateway.journal.answer import Answer
    from gateway.journal.journal import Journal
    from gateway.journal.note import Note
    from gateway.journal.note_taker import Facts

    Work = Coroutine[Any, Any, Any]


class Accounting:
    """Watches what LiteLLM does after an answer.

    Args:
        journal: takes the notes.
        facts: returns what the gateway adds to a row's metadata, from LiteLLM's call details.
        say: writes an event for people to the log, with its level.
    """

    def __init__(self, journal: Journal, facts: Facts, say: Callable[[str, str], None]) -> None:
        self._journal = journal
        self._facts = facts
        self._say = say

    def watch(self) -> None:
        """Makes every answer wait for its notes and accounting; to be called once."""
        litellm.utils._client_async_logging_helper = self._announced(  # noqa: SLF001 -- the first to know
            litellm.utils._client_async_logging_helper  # noqa: SLF001 -- as above
        )
        Logging.async_success_handler = self._noted(Logging.async_success_handler)
        Logging.dispatch_success_handlers = self._watched(Logging.dispatch_success_handlers)
        enqueue = GLOBAL_LOGGING_WORKER.enqueue

        def enqueue_watched(work: Work) -> None:
            answer = current_answer()
            enqueue(work if answer is None or answer.is_noted(work) else answer.accounting(work))

        GLOBAL_LOGGING_WORKER.enqueue = enqueue_watched

    def _announced(self, method: Callable[..., Work]) -> Callable[..., Work]:
        """For a plain answer: the task that will hand its accounting to LiteLLM's worker."""

        @functools.wraps(method)
        def call(*, logging_obj: Any, result: Any, **given: Any) -> Work:  # noqa: ANN401 -- handed on
            work = method(logging_obj=logging_obj, result=result, **given)
            answer = current_answer()
            if answer is None or given["is_completion_with_fallbacks"]:
                return work
            note = self._note(answer, logging_obj, result, given["start_time"], given["end_time"])
            return answer.accounting(work) if note is None else work

        return call

    def _noted(self, method: Callable[..., Work]) -> Callable[..., Work]:
        """The accounting itself, which LiteLLM calls for what is no answer too."""

        @functools.wraps(method)
        def call(logging: Any, *args: Any, **given: Any) -> Work:  # noqa: ANN401 -- handed on
            work = method(logging, *args, **given)
            answer = current_answer()
            note = (
                None if answer is None else answer.unwatched(logging.model_call_details.get(NOTE))
            )
            return (
                work if answer is None or note is None else answer.noted(work, note, self._give_up)
            )

        return call

    def _watched(self, method: Callable[..., Work]) -> Callable[..., Work]:
        """For a stream: all that is done with its whole answer."""

        @functools.wraps(method)
        def call(
            logging: Any,  # noqa: ANN401 -- handed on
            result: Any = None,  # noqa: ANN401 -- as above
            start_time: datetime | None = None,
            end_time: datetime | None = None,
            cache_hit: bool | None = None,  # noqa: FBT001 -- LiteLLM's own
            **more: Any,  # noqa: ANN401 -- as above
        ) -> Work:
            work = method(logging, result, start_time, end_time, cache_hit, **more)
            answer = current_answer()
            if answer is None:
                return work
            note = None
            if not cache_hit:
                note = self._note(answer, logging, result, start_time, end_time)
            return (
                answer.accounting(work) if note is None else answer.noted(work, note, self._give_up)
            )

        return call

    def _note(
        self,
        answer: Answer,
        logging: Any,  # noqa: ANN401 -- LiteLLM is not typed
        response: object,
        started: datetime | None,
        ended: datetime | None,
    ) -> Note | None:
        """Writes the note of a call and returns it; None when there is none, or one already."""
        if NOTE in logging.model_call_details:
            return None
        try:
            note = take_note(logging, response, started, ended, self._facts)
            if note is None:
                return None
            durable = self._journal.append_note(note.encoded())
        except Exception as error:  # noqa: BLE001 -- the accounting is waited for then, as without notes
            self._say(
                f"an answer waits for its accounting, for want of a note: {error!r}", "WARNING"
            )
            return None
        logging.model_call_details[NOTE] = note.id
        answer.wrote(durable, note)
        return note

    def _give_up(self, note: Note) -> None:
        """Lets a note stand for the record that did not come."""
        self._say(f"the accounting of {note.request_id} failed: its note stands for it", "WARNING")
        try:
            self._journal.append(GivenUp(note.id).encoded())
        except Exception as error:  # noqa: BLE001 -- the note is in the journal all the same
            self._say(f"the note of {note.request_id} is left to later: {error!r}", "WARNING")


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

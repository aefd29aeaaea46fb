"""Takes the place of LiteLLM's writer: the same rows and sums, into the journal instead.

LiteLLM's `update_database` is called once for each row, and works everything out itself: this lets
it, and catches what it would put into queues in memory. Importing this module imports LiteLLM.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from litellm._internal_context import service_target
from litellm.proxy.common_utils.user_api_key_cache import AUTH_OBJECTS_TARGET
from litellm.proxy.db.db_spend_update_writer import DBSpendUpdateWriter
from litellm.proxy.utils import PrismaClient

from gateway.journal.answer import current_answer
from gateway.journal.note import completing
from gateway.journal.record import MARK, NOTE, RECONCILED, Record, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from gateway.journal.note import Note

    Facts = Callable[[Mapping[str, Any]], dict[str, Any]]

_JSON_COLUMNS = ("metadata", "request_tags", "messages", "response", "proxy_server_request")

_DAILY_QUEUES = {  # LiteLLM's queue: the kind that it calls its table by
    "daily_spend_update_queue": "user",
    "daily_team_spend_update_queue": "team",
    "daily_org_spend_update_queue": "org",
    "daily_end_user_spend_update_queue": "end_user",
    "daily_agent_spend_update_queue": "agent",
    "daily_tag_spend_update_queue": "tag",
}


class _Collected:
    """Stands in for one of LiteLLM's queues."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    async def add_update(self, update: Any) -> None:  # noqa: ANN401 -- LiteLLM is not typed
        self.items.append(update)


class _Caught:
    """What LiteLLM worked out for one row."""

    def __init__(self) -> None:
        self.payload: dict[str, Any] | None = None
        self.sums: dict[str, Any] | None = None
        self.tools: Any = None


_CAUGHT: ContextVar[_Caught | None] = ContextVar("gateway_caught_row", default=None)


class JournalWriter(DBSpendUpdateWriter):  # type: ignore[misc] # LiteLLM is not typed
    """Writes rows and sums into the journal.

    What LiteLLM writes elsewhere stays where it is: its own counters of budgets, the charge for a
    batch (which it claims in the database itself), its list of known tools.

    Args:
        replaced: LiteLLM's writer, whose queues and locks others hold already.
        append: writes a line, returns when it is durable; see Journal.
        facts: returns what the gateway adds to a row's metadata, from LiteLLM's call details.
    """

    def __init__(
        self,
        replaced: DBSpendUpdateWriter,
        append: Callable[..., asyncio.Future[None]],
        facts: Facts,
    ) -> None:
        self.__dict__.update(replaced.__dict__)
        self._append = append
        self._facts = facts
        self._loop: asyncio.AbstractEventLoop | None = None
        self._refreshing: set[asyncio.Task[None]] = set()

    async def update_database(self, *args: Any, **kwargs: Any) -> bool:  # noqa: ANN401 -- as above
        """Records one call's spend; returns whether its cost still is to be counted."""
        self._loop = asyncio.get_running_loop()
        caught = _Caught()
        token = _CAUGHT.set(caught)
        try:
            charged: bool = await super().update_database(*args, **kwargs)
        finally:
            _CAUGHT.reset(token)
        if caught.sums is None:  # switched off in general_settings, charged before, or failed
            return charged
        if caught.payload is None:  # no row: disable_spend_logs, or a batch's own
            await super()._batch_database_updates(**caught.sums)
            return charged
        call = kwargs.get("kwargs") or {}
        answer = current_answer()
        note = None if answer is None else answer.take_note(call.get(NOTE))
        record = await _record(caught, self._facts(call))
        self._write(record if note is None else completing(note, record))
        return charged

    async def record_of(self, note: Note) -> Record:
        """Returns the record of a note that LiteLLM's accounting did not complete.

        Raises:
            ValueError: LiteLLM makes no row of it.
        """
        metadata = note.call["litellm_params"]["metadata"]
        caught = _Caught()
        token = _CAUGHT.set(caught)
        try:
            await super().update_database(
                token=metadata.get("user_api_key"),
                user_id=metadata.get("user_api_key_user_id"),
                end_user_id=metadata.get("user_api_key_end_user_id"),
                team_id=metadata.get("user_api_key_team_id"),
                org_id=metadata.get("user_api_key_org_id"),
                project_id=metadata.get("user_api_key_project_id"),
                kwargs=_call_of(note),
                completion_response=note.response,
                start_time=datetime.fromisoformat(note.started),
                end_time=datetime.fromisoformat(note.ended),
                response_cost=note.cost,
            )
        finally:
            _CAUGHT.reset(token)
        if caught.payload is None or caught.sums is None:
            raise ValueError("LiteLLM makes no row of it")
        record = completing(note, await _record(caught, {**note.facts, RECONCILED: True}))
        return decode(json.loads(record.encoded()))  # as the journal would have it

    def applied(self, records: Iterable[Record]) -> None:
        """Makes LiteLLM look anew at the spend of members and projects.

        It forgets a member itself; here the member is read anew, and stays known when the database
        goes away meanwhile: forgotten, its keys would be refused for all of the outage.

        To be called by any thread, with records that are in the database now.
        """
        charged = {entry for record in records for entry in record.spend}
        members = [key.split("::") for kind, key in charged if kind == "team_member"]
        projects = [key for kind, key in charged if kind == "project"]
        if self._loop is not None and (members or projects) and not self._loop.is_closed():
            pairs = [(user, team) for _, team, _, user in members]
            self._loop.call_soon_threadsafe(self._refresh, pairs, projects)

    def _refresh(self, members: list[tuple[str, str]], projects: list[str]) -> None:
        task = asyncio.get_running_loop().create_task(_refresh(members, projects))
        self._refreshing.add(task)
        task.add_done_callback(self._refreshing.discard)

    def _write(self, record: Record) -> None:
        answer = current_answer()
        try:
            durable = self._append(record.encoded(), wake=answer is None)
        except Exception as error:
            if answer is not None:
                answer.failed(error)
            raise
        if answer is not None:
            answer.wrote(durable)

    async def _insert_spend_log_to_db(
        self,
        payload: dict[str, Any],
        *args: Any,  # noqa: ANN401 -- as above
        **kwargs: Any,  # noqa: ANN401 -- as above
    ) -> Any:  # noqa: ANN401 -- as above
        caught = _CAUGHT.get()
        if caught is None:
            return await super()._insert_spend_log_to_db(payload, *args, **kwargs)
        caught.payload = dict(payload)
        return None

    def _batch_database_updates(self, **sums: Any) -> Coroutine[Any, Any, None]:  # noqa: ANN401
        """LiteLLM makes a task of what this returns; the work is done before, see _record."""
        caught = _CAUGHT.get()
        if caught is None:
            later: Coroutine[Any, Any, None] = super()._batch_database_updates(**sums)
            return later
        caught.sums = sums
        return _nothing()

    async def _enqueue_tool_usage_transaction(self, **given: Any) -> None:  # noqa: ANN401 -- as above
        caught = _CAUGHT.get()
        client = _Client() if caught is not None and given["prisma_client"] is not None else None
        if caught is None or client is None:
            await super()._enqueue_tool_usage_transaction(**given)
            return
        await super()._enqueue_tool_usage_transaction(**{**given, "prisma_client": client})
        caught.tools = client.tool_usage_transactions


class _Client(SimpleNamespace):
    """Stands in for the lists that LiteLLM keeps on its database client."""

    def __init__(self, client: Any = None) -> None:  # noqa: ANN401 -- LiteLLM is not typed
        super().__init__(
            tool_usage_transactions=[],
            model_usage_transactions=[],
            _tool_usage_transactions_lock=asyncio.Lock(),
            _model_usage_transactions_lock=asyncio.Lock(),
            get_request_status=partial(PrismaClient.get_request_status, client),
        )


async def _refresh(members: list[tuple[str, str]], projects: list[str]) -> None:
    from litellm.proxy import proxy_server  # noqa: PLC0415 -- imported long before
    from litellm.proxy.auth.auth_checks import (  # noqa: PLC0415 -- as above
        _fetch_team_membership_from_db,
    )

    logging = proxy_server.proxy_logging_obj
    cache = logging.call_details.get("user_api_key_cache")
    if cache is None:
        return
    with service_target(AUTH_OBJECTS_TARGET):
        for user, team in members:
            # Whatever keeps the database from answering: what is known of the member stays.
            with contextlib.suppress(Exception):
                await _fetch_team_membership_from_db(
                    user_id=user,
                    team_id=team,
                    prisma_client=proxy_server.prisma_client,
                    user_api_key_cache=cache,
                    parent_otel_span=None,
                    proxy_logging_obj=logging,
                )
    await DBSpendUpdateWriter._invalidate_project_caches(projects, logging)  # noqa: SLF001 -- its own


def _call_of(note: Note) -> dict[str, Any]:
    """Returns LiteLLM's details of a noted call, as far as it reads them for a row."""
    began = note.call.get("completion_start_time")
    return {
        **note.call,
        "completion_start_time": datetime.fromisoformat(began or note.ended),
        "response_cost": note.cost,
        "standard_logging_object": {
            "response_cost": note.cost,
            "metadata": {"usage_object": note.response["usage"]},
            "model_map_information": None,
        },
    }


async def _nothing() -> None:
    """Does nothing."""


async def _record(caught: _Caught, facts: dict[str, Any]) -> Record:
    """Returns the record of what was caught; LiteLLM's own code works out its sums."""
    if caught.payload is None or caught.sums is None:
        raise AssertionError("the caller has looked")
    collector = DBSpendUpdateWriter.__new__(DBSpendUpdateWriter)
    collector.spend_update_queue = spend = _Collected()
    daily = {kind: _Collected() for kind in _DAILY_QUEUES.values()}
    for name, kind in _DAILY_QUEUES.items():
        setattr(collector, name, daily[kind])
    client = _Client(caught.sums["prisma_client"])
    await collector._batch_database_updates(  # noqa: SLF001 -- the one place that sums up
        **{**caught.sums, "prisma_client": client}
    )
    return Record(
        row=_row(caught.payload, facts),
        spend=[(item["entity_type"].value, str(item["entity_id"])) for item in spend.items],
        daily={
            kind: [dict(entry) for update in queue.items for entry in update.values()]
            for kind, queue in daily.items()
            if queue.items
        },
        model_usage=_model_usage(client.model_usage_transactions),
        tools=_tools(caught.tools),
    )


def _row(payload: Mapping[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    from litellm.proxy.spend_tracking.spend_tracking_utils import (  # noqa: PLC0415 -- as it does
        configured_spend_logs_metadata_fields,
        spend_log_row_with_retained_metadata,
    )

    kept = configured_spend_logs_metadata_fields()
    row = dict(spend_log_row_with_retained_metadata(payload, kept))
    for column in _JSON_COLUMNS:
        if isinstance(row.get(column), str):
            row[column] = _parsed(row[column])
    if facts:
        row["metadata"] = {**(row.get("metadata") or {}), MARK: facts}
    return row


def _parsed(text: str) -> Any:  # noqa: ANN401 -- JSON
    try:
        return json.loads(text)
    except ValueError:
        return text


def _model_usage(transactions: list[Any]) -> dict[str, Any] | None:
    for transaction in transactions:
        fields = dataclasses.asdict(transaction)
        return {**fields.pop("key"), **fields}
    return None


def _tools(transactions: list[Any] | None) -> dict[str, Any] | None:
    for transaction in transactions or ():
        return dict(dataclasses.asdict(transaction))
    return None

"""The totals of a batch of records, derived from their rows as in LiteLLM.

In litellm/proxy/db/db_spend_update_writer.py, _batch_database_updates shows what a call is charged
to, and _common_add_spend_log_transaction_to_daily_transaction what it adds to a day. The rest is in
model_usage_rollup.py, gateway_request_tracking.py, request_error_tracking.py and
spend_log_tool_index.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.journal.row_totals import ENDPOINTS, charged, day_sums, days, task
from gateway.journal.tables import DAILY, DAILY_COUNTERS, DAILY_KEY, DAILY_SPEND, LLM_REQUEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.journal.record import OldTotals, Record

_SUMS = (*DAILY_COUNTERS, *DAILY_SPEND)
DailyKey = tuple[str, ...]
"""An entity's id, then the columns of DAILY_KEY."""


@dataclass(slots=True)
class Day:
    """What is added to one row of a daily table.

    Attributes:
        model_group: the model group of the first record.
        sums: the sums, in the order of DAILY_COUNTERS and DAILY_SPEND.
        request_id: the request id of the last record; only LiteLLM_DailyTagSpend has this column.
    """

    model_group: str | None
    sums: list[float]
    request_id: str | None = None


@dataclass(slots=True)
class Totals:
    """What some records add up to.

    Attributes:
        charged: kind of spender → id → US dollars.
        daily: kind of daily table → key → what is added to its row.
        models: key of LiteLLM_DailyModelUsage → its counters, in the order of tables.py.
        requests: key of LiteLLM_DailyGatewayRequests → succeeded, failed.
        failed_requests: key of LiteLLM_DailyGatewayFailedRequests → failed.
        caller_errors: key of LiteLLM_DailyRequestErrors → failed.
        tool_index: rows of LiteLLM_SpendLogToolIndex.
        tools: (date, tool) → spend, tokens, requests.
    """

    charged: dict[str, dict[str, float]] = field(default_factory=dict)
    daily: dict[str, dict[DailyKey, Day]] = field(default_factory=dict)
    models: dict[tuple[str, ...], list[float]] = field(default_factory=dict)
    requests: dict[tuple[str, ...], list[float]] = field(default_factory=dict)
    failed_requests: dict[tuple[str | int, ...], list[float]] = field(default_factory=dict)
    caller_errors: dict[tuple[str | int, ...], list[float]] = field(default_factory=dict)
    tool_index: list[tuple[str, str, str]] = field(default_factory=list)
    tools: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Add a record."""
        if record.old is not None:
            self._add_old(record.old, record.cost)
            return
        row, cost = record.row, record.cost
        for kind, identity in charged(record):
            of_kind = self.charged.setdefault(kind, {})
            of_kind[identity] = of_kind.get(identity, 0.0) + cost
        date = str(row["startTime"])[:10]
        self._add_days(record, date)
        self._add_model(row, date, cost)
        if record.is_counted:
            self._add_request(row, date, record.failed)
        if record.failed:
            self._add_caller_error(row, date, record.failed)
        if record.has_row:
            tokens = row.get("total_tokens", 0)
            for name in record.tools:
                self.tool_index.append((row["request_id"], name, row["startTime"]))
                self._add_tool((date, name), cost, tokens)

    def _add_days(self, record: Record, date: str) -> None:
        row = record.row
        key = (
            date,
            row.get("api_key") or "",
            row.get("model") or "",
            row.get("custom_llm_provider") or "",
            row.get("mcp_namespaced_tool_name") or "",
            ENDPOINTS.get(row.get("call_type") or "", ""),
        )
        sums = day_sums(record)
        group = row.get("model_group", "")
        for kind, identity in days(row):
            self._add_day(kind, (identity, *key), group, sums, row["request_id"])

    def _add_day(
        self, kind: str, key: DailyKey, group: str | None, sums: list[float], request_id: str | None
    ) -> None:
        of_kind = self.daily.setdefault(kind, {})
        day = of_kind.get(key)
        if day is None:
            of_kind[key] = day = Day(group, list(sums))
        else:
            day.sums = [there + more for there, more in zip(day.sums, sums)]  # noqa: B905 -- alike
        if kind == "tag":
            day.request_id = request_id or day.request_id

    def _add_model(self, row: dict[str, Any], date: str, cost: float) -> None:
        model = row.get("model") or "unknown"
        key = (
            date,
            row.get("model_group") or model,
            model,
            row.get("custom_llm_provider") or "unknown",
            task(row.get("request_tags") or ()),
        )
        succeeded = row.get("status", "success") == "success"
        self._add_usage(
            key, cost, row.get("prompt_tokens", 0), row.get("completion_tokens", 0), succeeded
        )

    def _add_request(self, row: dict[str, Any], date: str, failed: int) -> None:
        key = (date, LLM_REQUEST, ENDPOINTS.get(row.get("call_type") or "", ""))
        self.requests.setdefault(key, [0, 0])[failed > 0] += 1
        if failed:
            self.failed_requests.setdefault((*key, failed), [0])[0] += 1

    def _add_caller_error(self, row: dict[str, Any], date: str, failed: int) -> None:
        names = [row.get(column) or "" for column in ("api_key", "team_id", "user")]
        key = (date, *names, row.get("model_group") or row.get("model") or "", failed)
        self.caller_errors.setdefault(key, [0])[0] += 1

    def _add_usage(
        self,
        key: tuple[str, ...],
        cost: float,
        prompt: int,
        completion: int,
        succeeded: bool,  # noqa: FBT001 -- one of five columns
    ) -> None:
        sums = self.models.setdefault(key, [0.0, 0, 0, 0, 0, 0])
        for at, more in enumerate((cost, prompt, completion, 1, succeeded, not succeeded)):
            sums[at] += more

    def _add_tool(self, key: tuple[str, str], cost: float, tokens: int) -> None:
        sums = self.tools.setdefault(key, [0.0, 0, 0])
        for at, more in enumerate((cost, tokens, 1)):
            sums[at] += more

    def _add_old(self, old: OldTotals, cost: float) -> None:
        """Add the totals that version 0.1 stored in the record."""
        for kind, identity in old.spend:
            of_kind = self.charged.setdefault(kind, {})
            of_kind[identity] = of_kind.get(identity, 0.0) + cost
        for kind, entries in old.daily.items():
            column = DAILY[kind][1]
            for entry in entries:
                key = tuple(str(entry.get(name) or "") for name in (column, *DAILY_KEY))
                sums = [entry.get(name) or 0 for name in _SUMS]
                self._add_day(kind, key, entry.get("model_group"), sums, entry.get("request_id"))
        if old.model_usage is not None:
            of = old.model_usage
            names = ("date", "model_group", "model", "custom_llm_provider", "task_type")
            self._add_usage(
                tuple(of[name] for name in names),
                of["spend"],
                of["prompt_tokens"],
                of["completion_tokens"],
                of["successful"],
            )
        if old.tools is not None:
            of = old.tools
            for name in of["tool_names"]:
                self.tool_index.append((of["request_id"], name, of["start_time"]))
                self._add_tool((of["date"], name), of["spend"], of["total_tokens"])


def totals_of(records: Iterable[Record]) -> Totals:
    """Return what records add up to."""
    totals = Totals()
    for record in records:
        totals.add(record)
    return totals

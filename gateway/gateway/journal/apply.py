"""Apply a batch of records: rows, totals and the journal's position in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb, set_json_dumps

from gateway.journal import statements
from gateway.journal.row_values import copied
from gateway.journal.tables import (
    CALLER_ERRORS_KEY,
    DAILY,
    DAILY_COUNTERS,
    DAILY_KEY,
    DAILY_SPEND,
    FAILED_COUNTERS,
    FAILED_REQUESTS_KEY,
    MODEL_USAGE_COUNTERS,
    MODEL_USAGE_KEY,
    REQUESTS_COUNTERS,
    REQUESTS_KEY,
    SPENDERS,
    TOOL_INDEX_COLUMNS,
    TOOL_SPEND_COUNTERS,
    TOOL_SPEND_KEY,
)
from gateway.journal.totals import totals_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.database.connection import Connection
    from gateway.journal.record import Record
    from gateway.journal.totals import DailyKey, Day, Totals

set_json_dumps(orjson.dumps)

_DAYS = {
    kind: statements.add_days(table, column, has_request_id=kind == "tag")
    for kind, (table, column) in DAILY.items()
}


def apply_records(
    connection: Connection, records: Sequence[Record], journal: str | None, at: int
) -> list[Record]:
    """Write the records that are not in the database yet: all of them or none.

    Args:
        connection: a connection that commits each statement by itself.
        records: records of one journal, in their order.
        journal: the journal's id; None for a journal of version 0.1, which has no id.
        at: the journal's position once these records are applied.

    Returns:
        The records that were new to the database.

    Raises:
        psycopg.Error: nothing was written; if the connection broke, something may have been.
    """
    with connection.transaction():
        connection.execute(statements.SETTINGS)
        there = -1
        if journal is not None:
            row = connection.execute(statements.CLAIM_POSITION, [journal]).fetchone()
            there = row[0] if row is not None else -1
        new = [record for record in records if record.at > there] if there >= 0 else list(records)
        written = _insert_rows(connection, new)
        if written:
            _add_totals(connection, totals_of(written))
        if journal is not None and at > there:
            connection.execute(statements.SET_POSITION, [at, journal])
    return written


def _insert_rows(connection: Connection, records: list[Record]) -> list[Record]:
    """Insert the rows that are not in the database yet; return the records that were new.

    A record that has no row is always new here: the journal's position has already excluded
    records that were applied before.
    """
    with_row = [record for record in records if record.has_row]
    if not with_row:
        return records
    connection.execute(statements.STAGE)
    first: dict[str, Record] = {}
    for record in with_row:
        first.setdefault(record.row["request_id"], record)
    written = _copy(connection, [(entry, name) for name, entry in first.items()])
    left = [record for record in with_row if record.id not in written]
    if left:
        # Providers repeat ids: a record whose id another record's row has gets a longer id.
        names = [record.row["request_id"] for record in left]
        names += [_second_name(record) for record in left]
        owners = {row[0] for row in connection.execute(statements.OWNERS, [names])}
        again = {record.id: record for record in left if record.id not in owners}
        if again:
            connection.execute(statements.CLEAR_ROWS)
            written |= _copy(connection, [(each, _second_name(each)) for each in again.values()])
    seen: set[str] = set()
    new = []
    for record in records:
        if (not record.has_row or record.id in written) and record.id not in seen:
            seen.add(record.id)
            new.append(record)
    return new


def _second_name(record: Record) -> str:
    return f"{record.row['request_id']}-{record.id}"


def _copy(connection: Connection, rows: Sequence[tuple[Record, str]]) -> set[str]:
    """Insert rows under the given request ids; return the ids of the records whose row was new."""
    lines = "".join([copied(record, name) for record, name in rows]).encode()
    with connection.cursor() as cursor:
        with cursor.copy(statements.COPY_ROWS) as copy:
            copy.write(lines)
        cursor.execute(statements.INSERT_ROWS)
        return {row[0] for row in cursor}


def _add_totals(connection: Connection, totals: Totals) -> None:
    for kind in SPENDERS:
        if kind in totals.charged:
            _charge(connection, kind, dict(sorted(totals.charged[kind].items())))
    for kind in DAILY:
        if kind in totals.daily:
            rows = [_day_row(kind, key, day) for key, day in sorted(totals.daily[kind].items())]
            connection.execute(_DAYS[kind], [Jsonb(rows)])
    if totals.models:
        rows = _rows(MODEL_USAGE_KEY, MODEL_USAGE_COUNTERS, totals.models)
        connection.execute(statements.ADD_MODEL_USAGE, [Jsonb(rows)])
    if totals.requests:
        rows = _rows(REQUESTS_KEY, REQUESTS_COUNTERS, totals.requests)
        connection.execute(statements.ADD_REQUESTS, [Jsonb(rows)])
    if totals.failed_requests:
        rows = _rows(FAILED_REQUESTS_KEY, FAILED_COUNTERS, totals.failed_requests)
        connection.execute(statements.ADD_FAILED_REQUESTS, [Jsonb(rows)])
    if totals.caller_errors:
        rows = _rows(CALLER_ERRORS_KEY, FAILED_COUNTERS, totals.caller_errors)
        connection.execute(statements.ADD_CALLER_ERRORS, [Jsonb(rows)])
    if totals.tool_index:
        index = [dict(zip(TOOL_INDEX_COLUMNS, row)) for row in sorted(totals.tool_index)]  # noqa: B905 -- alike
        connection.execute(statements.ADD_TOOL_INDEX, [Jsonb(index)])
        rows = _rows(TOOL_SPEND_KEY, TOOL_SPEND_COUNTERS, totals.tools)
        connection.execute(statements.ADD_TOOL_SPEND, [Jsonb(rows)])


def _day_row(kind: str, key: DailyKey, day: Day) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip((DAILY[kind][1], *DAILY_KEY), key))  # noqa: B905 -- alike
    row["model_group"] = day.model_group
    row.update(zip((*DAILY_COUNTERS, *DAILY_SPEND), day.sums))  # noqa: B905 -- alike
    row["request_id"] = day.request_id
    return row


def _rows(
    keys: tuple[str, ...], counters: tuple[str, ...], found: dict[Any, list[float]]
) -> list[dict[str, Any]]:
    return [dict(zip((*keys, *counters), (*key, *sums))) for key, sums in sorted(found.items())]  # noqa: B905 -- alike


def _charge(connection: Connection, kind: str, costs: dict[str, float]) -> None:
    arrays = [list(costs), list(costs.values())]
    if kind == "end_user":
        connection.execute(statements.ADD_END_USER_SPEND, arrays)
    elif kind == "team_member":
        _charge_team_members(connection, costs)
    elif kind == "organization_member":
        pairs = [name.split("::") for name in costs]
        organizations = [unquote(pair[1]) for pair in pairs]
        members = [unquote(pair[3]) for pair in pairs]
        connection.execute(
            statements.ADD_ORGANIZATION_MEMBER_SPEND, [organizations, members, arrays[1]]
        )
    else:
        table, column = SPENDERS[kind]
        text = statements.ADD_KEY_SPEND if kind == "key" else statements.ADD_SPEND
        named = sql.SQL(text).format(table=sql.Identifier(table), column=sql.Identifier(column))
        connection.execute(named, arrays)


def _charge_team_members(connection: Connection, costs: dict[str, float]) -> None:
    """Add costs to team members as LiteLLM does, locking teams in the order of their ids."""
    rows = sorted((name.split("::")[1], name.split("::")[3], cost) for name, cost in costs.items())
    cursor = psycopg.RawCursor(connection)
    for team in dict.fromkeys(team for team, _, _ in rows):
        cursor.execute(statements.LOCK_TEAM, [team])
    members = [{"user_id": user, "team_id": team, "cost": cost} for team, user, cost in rows]
    cursor.execute(statements.ADD_TEAM_MEMBER_SPEND, [orjson.dumps(members).decode()])

"""`./run spend`: the rows' sums to the last digit, through views that a BI tool reads too."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from gateway.spend.query import QUERY
from support.scripted import ask
from support.stack import REPOSITORY, Stack
from support.wait import until

ROWS = 20_000
MONTH = "2021-03"
BOOKED_SECONDS = 30


@pytest.fixture(scope="module")
def booked(priced_stack: Stack) -> Iterator[Stack]:
    """Yield the stack with rows of two years long past, some of them marked."""
    priced_stack.sql(
        'INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, spend, total_tokens,'
        ' prompt_tokens, completion_tokens, "startTime", "endTime", model, model_group, metadata)'
        " SELECT 'report-' || n, 'acompletion', 'gone', 0.0000001 * (n %% 977), 3, 1, 2, t, t,"
        " 'gpt-' || n %% 3, 'alias-' || n %% 2,"
        " CASE WHEN n %% 5 = 0 THEN '{}' ELSE jsonb_build_object('user_api_key_alias',"
        " 'user-' || n %% 4, 'gateway', jsonb_build_object('unpriced', n %% 6 = 0,"
        " 'usage_counted', n %% 7 = 0, 'reconciled', n %% 8 = 0)) END"
        " FROM (SELECT n, timestamp '2020-01-01' + n * interval '50 minutes' AS t"
        " FROM generate_series(1, %s) AS n) AS made",
        ROWS,
    )
    priced_stack.sql('ANALYZE "LiteLLM_SpendLogs"')
    yield priced_stack
    priced_stack.sql("DELETE FROM \"LiteLLM_SpendLogs\" WHERE request_id LIKE 'report-%%'")


def rows(stack: Stack) -> list[dict[str, Any]]:
    """Return the month's rows as they are stored."""
    return stack.sql(
        'SELECT spend::numeric AS cost, prompt_tokens, metadata FROM "LiteLLM_SpendLogs"'
        " WHERE \"startTime\" >= '2021-03-01' AND \"startTime\" < '2021-04-01'"
    )


@pytest.mark.parametrize("by", ["day", "alias", "model", "key", "day,alias,model,key"])
def test_totals_equal_the_sum_of_the_rows(booked: Stack, by: str) -> None:
    """To the last digit, added up with Decimal, in JSON and in CSV."""
    expected = rows(booked)
    cost = sum((row["cost"] for row in expected), Decimal(0))

    data = json.loads(booked.run("spend", "--month", MONTH, "--by", by, "--json").stdout)
    table = booked.run("spend", "--month", MONTH, "--by", by, "--format", "csv").stdout

    lines = list(csv.DictReader(io.StringIO(table)))
    assert len(expected) > 800
    assert Decimal(data["total"]["cost"]) == cost > 0
    assert sum(Decimal(row["cost"]) for row in data["rows"]) == cost
    assert sum(Decimal(line["cost"]) for line in lines) == cost
    assert data["total"]["requests"] == len(expected)
    for mark in ("unpriced", "usage_counted", "reconciled"):
        marked = sum(bool(row["metadata"].get("gateway", {}).get(mark)) for row in expected)
        assert data["total"][mark] == marked > 0, mark


def test_a_request_is_in_the_report_with_its_cost(booked: Stack) -> None:
    """What a key's request cost is listed under the key's name, even when the key is deleted."""
    made = booked.run("key", "create", "reporter", "--budget", "1", "--json").stdout
    assert ask(booked, json.loads(made)["api_key"]).ok

    def reported() -> dict[str, Any] | None:
        told = json.loads(booked.run("spend", "--days", "1", "--by", "key", "--json").stdout)
        return next((row for row in told["rows"] if row["key"] == "reporter"), None)

    before = until(reported, seconds=BOOKED_SECONDS, what="the request to be reported")
    booked.run("key", "delete", "reporter")

    assert Decimal(before["cost"]) > 0
    assert reported() == before


def test_table_and_chart_are_made_together(booked: Stack) -> None:
    """The terminal gets marks and bars of days; the file is an SVG picture on this machine."""
    chart = REPOSITORY / ".state" / f"{booked.project}.svg"
    chart.parent.mkdir(exist_ok=True)
    try:
        done = booked.run(
            "spend",
            "--month",
            MONTH,
            "--by",
            "alias",
            "--chart",
            str(chart.relative_to(REPOSITORY)),
        )
        picture = ET.fromstring(chart.read_text())
    finally:
        chart.unlink(missing_ok=True)

    assert "unpriced" in done.stdout
    assert "█" in done.stdout
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert "alias-1" in [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]


def test_every_report_query_uses_the_index_of_times(booked: Stack) -> None:
    """A month among years reads its own rows and scans no table of requests."""
    parameters = {"first": "2021-03-01", "end": "2021-04-01", "master": []}
    with booked.database() as connection:
        plans = [
            connection.execute("EXPLAIN (FORMAT JSON) " + QUERY, parameters).fetchone(),
            connection.execute(
                "EXPLAIN (FORMAT JSON) SELECT * FROM gateway_reports.requests"
                " WHERE started_at >= '2021-03-01' AND started_at < '2021-03-08'"
            ).fetchone(),
        ]
    for plan in map(json.dumps, plans):
        assert "LiteLLM_SpendLogs_startTime" in plan
        assert not [
            node
            for node in plan.split("{")
            if '"Seq Scan"' in node and '"Relation Name": "LiteLLM_SpendLogs"' in node
        ]


def test_a_bi_role_reads_the_views_and_nothing_else(booked: Stack) -> None:
    """Its URL is printed once; it sees no key and changes nothing; --drop takes it back."""
    address = booked.address("postgres", "database")
    url = booked.run("spend", "role", "metabase").stdout.strip().replace("127.0.0.1", address)

    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT sum(requests) FROM daily").fetchone()
        assert row is not None
        assert row[0] >= ROWS
        for forbidden in (
            'SELECT * FROM public."LiteLLM_VerificationToken"',
            'SELECT * FROM public."LiteLLM_SpendLogs"',
            "CREATE TABLE gateway_reports.mine ()",
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(forbidden)

    booked.run("spend", "role", "metabase", "--drop")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_a_bi_role_outlives_new_views(booked: Stack) -> None:
    """Views that a later version makes again can be read without a word to anybody."""
    address = booked.address("postgres", "database")
    url = booked.run("spend", "role", "grafana").stdout.strip().replace("127.0.0.1", address)
    booked.sql("COMMENT ON SCHEMA gateway_reports IS 'made by an older version'")

    done = booked.compose("run", "--rm", "--no-TTY", "migrate")

    assert "created the report views" in done.stdout + done.stderr
    with psycopg.connect(url) as connection:
        connection.execute("SELECT * FROM requests LIMIT 1")
    booked.run("spend", "role", "grafana", "--drop")

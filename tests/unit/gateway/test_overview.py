"""What `./run status` says of the day."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

from gateway.overview import FailedRequest, Overview, one_line

AT = datetime(2026, 11, 24, 20, 38, 43)  # noqa: DTZ001 -- as LiteLLM stores it, UTC without saying so
QUIET = Overview(13 * 1024**2, 3, 0, Decimal("0.00012000"), (), (), {"gateway": "0.1.0"})
BAD = Overview(
    13 * 1024**2, 3, 2, Decimal(1), ("anna", "bert"),
    (FailedRequest(AT, "extraction-model", "no key"), FailedRequest(AT, "x", "late")), {},
)  # fmt: skip


def test_a_quiet_day_has_all_its_lines() -> None:
    """That nothing is blocked and nothing failed is said, to show that it was checked."""
    assert QUIET.lines() == [
        "today     3 requests, 0 failed, 0.00012 USD",
        "database  13 MB; keys: 0 blocked",
        "versions  gateway 0.1.0",
        "errors    none today",
    ]


def test_blocked_keys_and_errors_are_named() -> None:
    """Keys by their names; the last error with its time, who was asked, and its reason."""
    lines = BAD.lines()

    assert "keys: 2 blocked (anna, bert)" in lines[1]
    assert lines[3:] == ["errors    the last at 20:38:43 extraction-model: no key"]


def test_programs_get_numbers_and_times_with_their_zone() -> None:
    """Bytes and counts are numbers, cost keeps all its digits, times are UTC."""
    document = json.loads(BAD.as_json())

    assert document["database_bytes"] == 13 * 1024**2
    assert json.loads(QUIET.as_json())["cost_usd_today"] == "0.00012000"
    assert document["last_errors"][0]["at"] == "2026-11-24T20:38:43Z"
    assert document["keys_blocked"] == ["anna", "bert"]


def test_a_long_message_becomes_one_short_line() -> None:
    """LiteLLM's messages may be pages long."""
    assert one_line("a\n  b") == "a b"
    assert len(one_line("word " * 100)) == 140

"""Who answered, in headers and in the log."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from gateway.failover.failure import Failure, FailureKind
from gateway.failover.record import Attempt, RequestRecord
from gateway.failover.report import Bill, headers_of, log_line


@pytest.fixture
def record() -> RequestRecord:
    """A request that Ollama did not take and OpenAI answered at the second try."""
    down = Failure(FailureKind.UNREACHABLE)
    attempts = [
        Attempt("extraction-model", "o1", "ollama_chat/llama3.2", down),
        Attempt("backup", "a1", "openai/gpt", broken_schema=True, cost=0.25),
        Attempt("backup", "a1", "openai/gpt"),
    ]
    return RequestRecord("extraction-model", "id-1", attempts)


def test_headers_say_who_answered_instead_of_whom(record: RequestRecord) -> None:
    """Alias, deployment and model are those that answered; fallback names who was asked."""
    assert headers_of(record, Bill(cost=0.5)) == {
        "x-gateway-cost": "0.5",
        "x-gateway-alias": "backup",
        "x-gateway-deployment": "a1",
        "x-gateway-model": "openai/gpt",
        "x-gateway-attempts": "3",
        "x-gateway-fallback": "true; from=extraction-model",
        "x-gateway-outcomes": "unreachable,broke-schema,answered",
        "x-gateway-wasted-cost": "0.2500000000",
    }


def test_a_cost_of_nothing_is_told_and_an_unknown_one_is_not(record: RequestRecord) -> None:
    """A free answer costs 0; where no price is known there is no header."""
    assert headers_of(record, Bill(cost=0.0))["x-gateway-cost"] == "0.0"
    assert "x-gateway-cost" not in headers_of(record, Bill())


def test_without_an_attempt_only_the_request_is_known() -> None:
    """When nobody could be asked, the headers say so."""
    assert headers_of(RequestRecord("a"), Bill()) == {
        "x-gateway-alias": "a",
        "x-gateway-attempts": "0",
        "x-gateway-fallback": "false",
    }


def test_a_callers_alias_cannot_add_a_header() -> None:
    """Line ends and letters that no header may hold are replaced."""
    assert headers_of(RequestRecord("ä\r\nx: y"), Bill())["x-gateway-alias"] == "???x: y"


def test_a_json_line_holds_every_field(record: RequestRecord) -> None:
    """The cost is that of the answer and of the one that was thrown away."""
    line = json.loads(log_line(record, "ok", Bill(0.5, 10, 3), as_json=True))
    assert line["cost"] == 0.75
    assert line["outcomes"] == ["unreachable", "broke-schema", "answered"]
    assert (line["asked"], line["alias"], line["fallback"]) == ("extraction-model", "backup", True)
    assert (line["request_id"], line["prompt_tokens"]) == ("id-1", 10)
    assert (line["level"], line["component"], line["message"]) == ("INFO", "gateway", "request")
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)


def test_a_plain_line_is_one_line(record: RequestRecord) -> None:
    """A value with blanks or line ends is quoted, so that a line stays one event."""
    record.alias = "böse\nfallback=false"
    line = log_line(record, "error 503", Bill(), as_json=False)
    assert "\n" not in line
    assert 'status="error 503"' in line
    assert "cost=" not in line

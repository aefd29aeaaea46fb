"""Records: what a row says of a request, as LiteLLM's pages and our reports read it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access.caller import Caller, Entity, Kind
from gateway.errors import BudgetExceededError, InvalidRequestError, UnavailableError
from gateway.journal.make_records import CANARY_ACCOUNT, MASTER_KEY, records_of
from gateway.journal.record import Record, as_line, decoded
from gateway.journal.row_values import COLUMNS, copied
from gateway.request import Bill, Client, Usage
from gateway.routing.failure import Failure, FailureKind
from unit.journal.requests_made import (
    BROKEN,
    CALLER,
    SPARE,
    USAGE,
    attempt,
    controls,
    request,
)


def row_of(record: Record) -> dict[str, Any]:
    """Return the row as COPY gets it; JSON is decoded."""
    line = copied(record, record.row["request_id"]).removesuffix("\n")
    row: dict[str, Any] = dict(zip(COLUMNS, line.split("\t"), strict=True))
    for column in ("metadata", "request_tags", "messages", "response", "proxy_server_request"):
        row[column] = json.loads(row[column].replace("\\\\", "\\"))
    return row


def test_an_answer_is_one_row_with_everything_that_is_known() -> None:
    """An answer becomes one spend log with its caller, times, model, tokens, cost and client."""
    (record,) = records_of(request(attempt()))
    row = row_of(record)
    assert row["request_id"] == "chatcmpl-1"
    assert row["litellm_call_id"] == row["session_id"] == "call-1"
    assert row["api_key"] == "a" * 64
    assert (row["user"], row["team_id"], row["end_user"]) == ("user-1", "team-1", "")
    assert (row["model"], row["model_group"]) == ("openai/gpt-4o-mini", "alias")
    assert (row["prompt_tokens"], row["completion_tokens"], row["total_tokens"]) == (
        "10",
        "5",
        "15",
    )
    assert (row["spend"], row["status"], row["call_type"]) == ("0.25", "success", "acompletion")
    assert row["startTime"] == "2026-11-27T20:22:25.250Z"
    assert row["endTime"] == row["completionStartTime"] == "2026-11-27T20:22:25.750Z"
    assert (row["request_duration_ms"], row["requester_ip_address"]) == ("500", "192.0.2.1")
    assert row["request_tags"] == ["User-Agent: curl", "User-Agent: curl/8"]
    assert (row["cache_key"], row["messages"], row["response"]) == ("Cache OFF", {}, {})


def test_metadata_has_what_litellms_pages_show() -> None:
    """A spend log's metadata holds what LiteLLM's pages show and filter by, and no nulls."""
    (record,) = records_of(request(attempt()))
    assert row_of(record)["metadata"] == {
        "user_api_key": "a" * 64,
        "user_api_key_alias": "key-1",
        "user_api_key_team_id": "team-1",
        "user_api_key_team_alias": "Team",
        "user_api_key_user_id": "user-1",
        "requester_ip_address": "192.0.2.1",
        "user_agent": "curl/8",
        "litellm_call_id": "call-1",
        "attempted_retries": 0,
        "original_model_group": "alias",
        "usage_object": {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
        "additional_usage_values": {
            "prompt_tokens_details": {"cached_tokens": 4},
            "cache_read_input_tokens": 4,
        },
        "cost_breakdown": {"total_cost": 0.25, "original_cost": 0.25},
        "gateway": {"record": record.id},
    }


def test_a_row_without_prompts_is_small() -> None:
    """A spend log without prompts takes 2000 bytes at most, even after three attempts."""
    attempts = [attempt(1, cost=None, failure=BROKEN), attempt(2, deployment=SPARE), attempt(3)]
    for record in records_of(request(*attempts)):
        assert len(record.encoded()) <= 2000
        assert len(copied(record, "x")) <= 2000


def test_each_paid_attempt_has_a_row_and_the_first_answer_the_requests_id() -> None:
    """Each paid attempt has a spend log, and the first answered one has the request's id."""
    attempts = [
        attempt(1, cost=0.1, failure=BROKEN),
        attempt(2, cost=None, failure=BROKEN),
        attempt(3, cost=0.2, broke_schema=True),
        attempt(4, cost=0.3, deployment=SPARE),
    ]
    rows = [row_of(record) for record in records_of(request(*attempts))]
    assert [row["litellm_call_id"] for row in rows] == ["call-1-1", "call-1", "call-1-4"]
    assert [row["status"] for row in rows] == ["failure", "success", "success"]
    assert [row["spend"] for row in rows] == ["0.1", "0.2", "0.3"]
    marks = [row["metadata"]["gateway"] for row in rows]
    assert [mark.get("request_id") for mark in marks] == ["call-1", None, "call-1"]
    assert [each["outcome"] for each in marks[0]["attempts"]] == [
        "unreachable", "unreachable", "broke-schema", "answered",
    ]  # fmt: skip
    assert marks[0]["attempts"][3]["alias"] == "spare"


def test_what_is_not_the_providers_word_is_marked() -> None:
    """A spend log is marked if its model has no price, or if the gateway counted the tokens."""
    bill = Bill(replace(USAGE, counted=True), priced=False)
    (record,) = records_of(request(attempt(bill=bill)))
    metadata = row_of(record)["metadata"]
    assert metadata["gateway"] == {"record": record.id, "unpriced": True, "usage_counted": True}
    assert "cost_breakdown" not in metadata


def test_the_master_key_is_booked_as_litellm_books_it() -> None:
    """The master key's requests are booked under LiteLLM's alias and default user for it."""
    (record,) = records_of(request(attempt(), caller=Caller(key_hash="x", is_admin=True)))
    assert record.row["api_key"] == MASTER_KEY
    assert record.row["user"] == "default_user_id"


def test_a_canary_request_is_booked_on_litellms_health_account() -> None:
    """A canary request is booked with the key, team and tag of LiteLLM's health checks."""
    (record,) = records_of(request(attempt(), is_canary=True))
    row = row_of(record)
    assert row["api_key"] == row["team_id"] == CANARY_ACCOUNT
    assert row["request_tags"] == [CANARY_ACCOUNT]
    assert row["user"] == ""


def test_a_failed_request_is_a_row_that_says_why() -> None:
    """A request that no deployment answered is one spend log with the error and no cost."""
    error = UnavailableError("no model is available")
    (record,) = records_of(request(attempt(cost=None, failure=BROKEN)), error.status, error=error)
    row = row_of(record)
    assert row["request_id"] == row["litellm_call_id"] == "call-1"
    assert (row["status"], row["spend"], row["model_group"]) == ("failure", "0.0", "alias")
    assert row["metadata"]["status"] == "failure"
    assert row["metadata"]["error_information"] == {
        "error_code": "503",
        "error_class": "UnavailableError",
        "error_message": "no model is available",
        "llm_provider": "openai",
    }


@pytest.mark.parametrize(
    ("error", "group"),
    [
        (InvalidRequestError("no such model", status=404), ""),
        (BudgetExceededError("spent"), "alias"),
    ],
)
def test_a_name_that_a_caller_made_up_gets_into_no_total(
    error: InvalidRequestError | BudgetExceededError, group: str
) -> None:
    """A request that reached no deployment is booked under LiteLLM's `unknown-model`."""
    (record,) = records_of(request(), error.status, error=error)
    row = row_of(record)
    assert (row["model"], row["model_group"]) == ("unknown-model", group)


def test_a_stream_that_broke_is_one_failed_row_with_its_cost() -> None:
    """A stream that broke is one failed spend log with the cost of what was produced."""
    broken = Failure(FailureKind.UNRESPONSIVE)
    error = UnavailableError("it broke")
    (record,) = records_of(request(attempt(failure=broken)), 200, error=error)
    assert (record.row["status"], record.row["spend"]) == ("failure", 0.25)


def test_a_client_that_left_is_billed_for_what_was_produced() -> None:
    """A request whose client left is booked as a success, as no deployment failed."""
    (record,) = records_of(request(attempt()))
    assert row_of(record)["status"] == "success"


def test_who_else_is_charged_is_kept() -> None:
    """A record keeps whom it charges beyond those that its row names."""
    entities = (
        Entity(Kind.KEY, "a" * 64),
        Entity(Kind.USER, "user-1"),
        Entity(Kind.USER, "litellm-proxy-budget"),
    )
    (record,) = records_of(request(attempt(), caller=replace(CALLER, entities=entities)))
    assert record.charged == [("user", "litellm-proxy-budget")]
    assert decoded(orjson.loads(record.encoded())).charged == record.charged


def test_prompts_are_stored_where_they_are_to_be_and_cut() -> None:
    """Stored with its answer, a request has long texts cut in their middle and no secret."""
    stored = {"messages": [{"content": "a" * 3000 + "end"}], "api_key": "sk-secret"}
    made = request(attempt(stored_answer={"choices": []}), stored_request=stored)
    row = row_of(records_of(made)[0])
    text = row["proxy_server_request"]["messages"][0]["content"]
    assert text.startswith("aaa")
    assert text.endswith("end")
    assert "skipped 955 chars" in text
    assert "api_key" not in row["proxy_server_request"]
    assert row["response"] == {"choices": []}


def test_controls_and_traces_stand_in_the_row() -> None:
    """A spend log holds the caller's tags, metadata and session, or else the trace."""
    trace = Client(traceparent=f"00-{'c' * 32}-{'d' * 16}-01")
    wishes = controls(tags=("t1",), metadata={"spend_logs_metadata": {"a": 1}, "other": "kept out"})
    row = row_of(records_of(request(attempt(), client=trace, controls=wishes))[0])
    assert row["request_tags"] == ["t1"]
    assert row["session_id"] == "c" * 32
    assert row["metadata"]["spend_logs_metadata"] == {"a": 1}
    assert "kept out" not in json.dumps(row)
    row = row_of(records_of(request(attempt(), client=trace, controls=controls(session_id="s")))[0])
    assert row["session_id"] == "s"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TEXTS = st.text(st.characters(exclude_categories=()) | st.sampled_from("\0\ud83d\t\n\\\r\x85"))


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, more=JSON)
def test_whatever_a_provider_sends_is_one_line_that_postgres_takes(
    text: str,
    more: Any,
) -> None:
    """Whatever text or JSON a provider sends becomes one line that PostgreSQL accepts."""
    usage = Usage(1, 2, raw={"more": more, text: text})
    made = request(
        attempt(response_id=text, usage=usage), stored_request={"messages": [text, more]}
    )
    (record,) = records_of(made)
    line = record.encoded()
    assert b"\n" not in line
    assert b"\0" not in line
    back = decoded(orjson.loads(line))
    assert back.id == record.id
    whole = copied(back, back.row["request_id"])
    assert whole.count("\n") == 1
    assert whole.count("\t") == len(COLUMNS) - 1
    assert "\0" not in whole
    assert "\\\\u0000" not in whole.replace("\\\\\\\\", "")


def test_numbers_that_json_lacks_become_null() -> None:
    """NaN and infinity become null, and an integer beyond 64 bits stays what it is."""
    line = as_line({"a": [float("nan"), float("inf"), "\0"], "b": 1 << 80})
    assert json.loads(line) == {"a": [None, None, ""], "b": 1 << 80}

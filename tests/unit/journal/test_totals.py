"""What records add up to: whom they are charged to, and what a day's rows get."""

from __future__ import annotations

import json

import pytest

from gateway.access.caller import Caller
from gateway.errors import GatewayError, InvalidRequestError, RateLimitError, UnavailableError
from gateway.journal.make_records import records_of
from gateway.journal.record import decoded
from gateway.journal.tables import DAILY_COUNTERS, DAILY_SPEND
from gateway.journal.totals import Day, totals_of
from gateway.request import Operation
from unit.journal.requests_made import BROKEN, attempt, controls, request

EVERYBODY = Caller(
    key_hash="k",
    team_id="t",
    user_id="u",
    organization_id="o/1",
    end_user_id="e",
    project_id="p",
    agent_id="a",
)


def named(day: Day) -> dict[str, float]:
    """Return a day's sums by column."""
    return dict(zip((*DAILY_COUNTERS, *DAILY_SPEND), day.sums, strict=True))


def test_a_record_is_charged_to_all_whom_its_row_names() -> None:
    """A record is charged once to every entity and tag that its row names."""
    made = request(attempt(cost=0.5), caller=EVERYBODY, controls=controls(tags=("x", "x")))
    totals = totals_of(records_of(made) + records_of(made))
    assert totals.charged == {
        "key": {"k": 1.0},
        "user": {"u": 1.0},
        "end_user": {"e": 1.0},
        "team": {"t": 1.0},
        "organization": {"o/1": 1.0},
        "project": {"p": 1.0},
        "agent": {"a": 1.0},
        "team_member": {"team_id::t::user_id::u": 1.0},
        "organization_member": {"organization_id::o%2F1::user_id::u": 1.0},
        "tag": {"x": 1.0, "User-Agent: curl": 1.0, "User-Agent: curl/8": 1.0},
    }


def test_a_day_counts_tokens_requests_time_and_what_the_cache_saved() -> None:
    """Two answers and a failure of one key add up to one row of its user's day."""
    error = UnavailableError("no")
    records = [
        *records_of(request(attempt())),
        *records_of(request(attempt())),
        *records_of(request(attempt(cost=None, failure=BROKEN)), 503, error=error),
    ]
    for record in records:
        record.row["startTime"] = "2026-11-27T00:00:00.000Z"
    totals = totals_of(records)
    ((key, day),) = totals.daily["user"].items()
    assert key == (
        "user-1", "2026-11-27", "a" * 64, "openai/gpt-4o-mini", "openai", "", "/chat/completions",
    )  # fmt: skip
    assert {name: value for name, value in named(day).items() if value} == pytest.approx(
        {
            "prompt_tokens": 20,
            "completion_tokens": 10,
            "api_requests": 3,
            "successful_requests": 2,
            "failed_requests": 1,
            "cache_read_input_tokens": 8,
            "total_response_time_ms": 1000,
            "timed_requests": 2,
            "spend": 0.5,
            "prompt_caching_savings_spend": 2 * 4 * 6e-7,
        }
    )
    assert totals.models == {
        ("2026-11-27", "alias", "openai/gpt-4o-mini", "openai", "uncategorized"): [
            0.5, 20, 10, 3, 2, 1,
        ]
    }  # fmt: skip


def test_requests_are_counted_as_litellms_own_server_would() -> None:
    """Requests are counted by date, kind and route: how many succeeded, how many failed."""
    answered = records_of(request(attempt()))
    refused = records_of(request(attempt(cost=None)), 503, error=UnavailableError("no model"))
    for record in (*answered, *refused):
        record.row["startTime"] = "2026-11-27T00:00:00.000Z"
    totals = totals_of([*answered, *refused])
    route = ("2026-11-27", "llm", "/chat/completions")
    assert totals.requests == {route: [1, 1]}
    assert totals.failed_requests == {(*route, 503): [1]}


def test_a_failure_is_counted_under_its_caller_alias_and_status() -> None:
    """A failed request counts once for its caller, with the status that the caller got."""
    schema = attempt(broke_schema=True)
    cut = attempt(failure=BROKEN)
    records = [
        *records_of(request(schema, attempt(2, failure=BROKEN)), 503, error=UnavailableError("no")),
        *records_of(
            request(attempt(failure=BROKEN), schema), 502, error=GatewayError("", status=502)
        ),
        *records_of(request(cut)),
        *records_of(request(attempt(failure=BROKEN), attempt(2))),
        *records_of(request(), 400, error=InvalidRequestError("no")),
        *records_of(request(caller=Caller(key_hash="k")), 429, error=RateLimitError("no")),
        *records_of(request(cut, via_litellm=True)),
        *records_of(request(cut, is_canary=True)),
    ]
    for record in records:
        record.row["startTime"] = "2026-11-27T00:00:00.000Z"
    read = [decoded(json.loads(record.encoded())) for record in records]
    for totals in (totals_of(records), totals_of(read)):
        caller = ("2026-11-27", "a" * 64, "team-1", "user-1")
        assert totals.caller_errors == {
            (*caller, "alias", 503): [1],
            (*caller, "alias", 502): [3],
            (*caller, "unknown-model", 400): [1],
            ("2026-11-27", "k", "", "", "alias", 429): [1],
        }
        route = ("2026-11-27", "llm", "/chat/completions")
        assert totals.requests == {route: [1, 5]}
        assert totals.failed_requests == {
            (*route, 400): [1],
            (*route, 429): [1],
            (*route, 502): [2],
            (*route, 503): [1],
        }


def test_a_request_is_counted_once_and_one_through_litellm_by_litellm() -> None:
    """A request is counted once, whatever its attempts; canaries and LiteLLM's are not counted."""
    records = [
        *records_of(request(attempt(broke_schema=True), attempt(2))),
        *records_of(request(attempt(broke_schema=True)), 503, error=UnavailableError("no model")),
        *records_of(request(attempt(), via_litellm=True)),
        *records_of(request(attempt(cost=None), via_litellm=True), 503, error=UnavailableError("")),
        *records_of(request(attempt(), is_canary=True)),
    ]
    for record in records:
        record.row["startTime"] = "2026-11-27T00:00:00.000Z"
    read = [decoded(json.loads(record.encoded())) for record in records]
    for totals in (totals_of(records), totals_of(read)):
        assert list(totals.requests.values()) == [[1, 1]]


def test_a_row_of_nobody_is_one_of_the_user_and_team_without_a_name() -> None:
    """A row without user or team counts for those with an empty name, as in LiteLLM."""
    totals = totals_of(records_of(request(attempt(), caller=Caller(key_hash="k"))))
    assert [key[0] for kind in ("user", "team") for key in totals.daily[kind]] == ["", ""]
    assert not {"org", "end_user", "agent"} & totals.daily.keys()


def test_tools_that_were_called_are_counted() -> None:
    """Each tool that was called gets its answer's cost and tokens, unless no rows are written."""
    made = request(attempt(tool_names=("f", "g")))
    totals = totals_of(records_of(made))
    assert [row[:2] for row in totals.tool_index] == [("chatcmpl-1", "f"), ("chatcmpl-1", "g")]
    assert list(totals.tools.values()) == [[0.25, 15, 1]] * 2
    assert not totals_of(records_of(made, has_rows=False)).tools


def test_a_task_tag_names_the_kind_of_work() -> None:
    """A task tag that LiteLLM knows names the kind of work; any other is uncategorized."""
    for tag, task in (("task:classification", "classification"), ("task:x", "uncategorized")):
        made = request(attempt(), controls=controls(tags=(tag,)))
        ((*_, found),) = totals_of(records_of(made)).models
        assert found == task


@pytest.mark.parametrize("operation", list(Operation))
def test_every_operation_has_an_endpoint(operation: Operation) -> None:
    """A day's row names the path of the operation that was called."""
    made = request(attempt())
    made.operation = operation
    (key,) = totals_of(records_of(made)).daily["user"]
    assert key[-1] == operation.path

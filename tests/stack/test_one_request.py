"""One request, found everywhere by the id that the caller got: logs, provider, spend logs, trace.

The scripted upstream stands for every provider and tells which headers reached it; a collector in
this process gets the traces.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from support.collector import Collector, Span
from support.scripted import PRICED, SCRIPTED_PROVIDERS, ask, control, play
from support.stack import Stack
from support.wait import until

pytestmark = pytest.mark.long

TEXT = "Der Hund schläft im Garten."
TOKEN = "made-up-token-of-the-collector"  # of nobody
SECONDS = 30
LITELLM_SECONDS = 300
"""Its start takes 12 s of processor."""

BAD_JSON_AND_CUT = {
    "rules": [
        {"match": {"provider": "ollama", "stream": True}, "do": {"close": True}},
        {"match": {"provider": "ollama"}, "do": {"bad_json": "prose"}},
    ]
}
"""Ollama's plain answers break the schema, its streams never begin."""


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Yield where the traces go."""
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def stack(collector: Collector) -> Iterator[Stack]:
    """Yield a stack whose Ollama fails so, and whose fallback is OpenAI."""
    environment = {
        **SCRIPTED_PROVIDERS,
        "EXTRACTION_FALLBACKS": PRICED,
        "EXPLANATION_FALLBACKS": PRICED,
        "NUM_RETRIES": "0",
        "JSON_LOGS": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://host.docker.internal:{collector.port}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}",
    }
    with Stack(environment) as running:
        running.compose(
            "up", "--detach", "--no-build", "--wait", "backend-stub", "scripted-upstream"
        )
        play(running, BAD_JSON_AND_CUT)
        yield running


def sent_ids(stack: Stack, since: int) -> list[str]:
    """Return the id on each request that reached a provider after a number of the journal."""
    found = requests.get(
        f"{control(stack)}/journal", params={"method": "POST", "since": str(since)}, timeout=SECONDS
    ).json()["requests"]
    return [entry["headers"].get("x-client-request-id") for entry in found]


def last_number(stack: Stack) -> int:
    """Return the number of the journal's last request."""
    found = requests.get(f"{control(stack)}/journal", timeout=SECONDS).json()["requests"]
    return found[-1]["number"] if found else 0


def lines(stack: Stack, service: str, request_id: str) -> list[dict[str, Any]]:
    """Return a service's lines about a request; compose may put its cursor's moves before them."""
    written = stack.compose("logs", "--no-log-prefix", service).stdout.splitlines()
    found = [json.loads(line.removeprefix("\x1b[2K")) for line in written]
    return [line for line in found if line.get("request_id") == request_id]


def spend_rows(stack: Stack, request_id: str, count: int) -> list[dict[str, Any]]:
    """Return the rows of a request by the view that reports read, as soon as they are there."""

    def rows() -> list[dict[str, Any]]:
        return stack.sql(
            "SELECT seen.*, logs.session_id FROM gateway_reports.requests AS seen"
            ' JOIN "LiteLLM_SpendLogs" AS logs USING (request_id)'
            " WHERE gateway_request_id = %s ORDER BY started_at",
            request_id,
        )

    until(lambda: len(rows()) >= count, seconds=SECONDS, what=f"{count} rows of {request_id}")
    return rows()


def spans(collector: Collector, request_id: str, count: int) -> tuple[Span, list[Span]]:
    """Return a request's span and those of its attempts, as soon as they were sent."""
    until(
        lambda: len(collector.trace(request_id)) >= count,
        seconds=SECONDS,
        what=f"{count} spans of {request_id}",
    )
    found = collector.trace(request_id)
    (whole,) = [span for span in found if span.parent not in {each.id for each in found}]
    return whole, [span for span in found if span is not whole]


def test_a_repaired_request_has_one_id_from_the_backend_to_the_spend_rows(
    stack: Stack, collector: Collector
) -> None:
    """A broken answer, its repair and the fallback: three calls, three rows, one id and trace."""
    before = last_number(stack)

    answer = requests.post(f"{stack.backend_url}/extract", json={"text": TEXT}, timeout=60)

    assert answer.status_code == 200, answer.text
    request_id = answer.json()["request_id"]
    assert sent_ids(stack, before) == [request_id] * 3

    rows = spend_rows(stack, request_id, 3)
    assert [row["call_id"] for row in rows] == [request_id, f"{request_id}-2", f"{request_id}-3"]
    assert {row["session_id"] for row in rows} == {uuid.UUID(request_id).hex}

    for service, component in (("backend-stub", "backend-stub"), ("gateway", "gateway")):
        (line,) = [
            each for each in lines(stack, service, request_id) if each["message"] == "request"
        ]
        assert (line["component"], line["level"]) == (component, "INFO")
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)

    whole, attempts = spans(collector, request_id, 4)
    outcomes = [span.attributes["gateway.outcome"] for span in attempts]
    assert sorted(outcomes) == ["answered", "broke-schema", "broke-schema"]
    assert {span.trace for span in [whole, *attempts]} == {uuid.UUID(request_id).hex}
    assert whole.attributes["gateway.alias"] == PRICED
    assert whole.service == "litellm-gateway"


def test_a_stream_that_fell_back_keeps_its_id(stack: Stack, collector: Collector) -> None:
    """Both calls carry it, the log has one line, the trace both attempts."""
    before = last_number(stack)

    answer = requests.post(
        f"{stack.backend_url}/explain",
        json={"item": "der Hund", "context": TEXT},
        headers={"Accept": "text/event-stream"},
        timeout=60,
    )

    request_id = answer.headers["x-request-id"]
    assert "event: done" in answer.text
    assert sent_ids(stack, before) == [request_id] * 2
    (row,) = spend_rows(stack, request_id, 1)
    assert row["alias"] == PRICED
    until(
        lambda: [each["message"] for each in lines(stack, "gateway", request_id)] == ["request"],
        seconds=SECONDS,
        what="the gateway's line",
    )
    _, attempts = spans(collector, request_id, 3)
    assert [span.failed for span in attempts] == [True, False]


def test_a_callers_id_is_taken_only_if_nothing_can_stumble_over_it(stack: Stack) -> None:
    """A sane one is used to the provider; in place of another LiteLLM makes one and returns it."""
    key = stack.secret("backend_virtual_key")
    for given, taken in (("job-7", True), ("job 7", False), ("7" * 200, False)):
        before = last_number(stack)
        answer = requests.post(
            f"{stack.gateway_url}/v1/chat/completions",
            json={"model": PRICED, "messages": [{"role": "user", "content": TEXT}]},
            headers={"Authorization": f"Bearer {key}", "x-litellm-call-id": given},
            timeout=60,
        )
        used = answer.headers["x-litellm-call-id"]
        assert (used == given) is taken
        assert sent_ids(stack, before) == [used]


@pytest.fixture(scope="module")
def litellm(stack: Stack) -> Stack:
    """Return the stack with LiteLLM's proxy running, which a first request starts."""
    until(lambda: through_litellm(stack).ok, seconds=LITELLM_SECONDS, what="LiteLLM to answer")
    return stack


def through_litellm(stack: Stack, **headers: str) -> requests.Response:
    """Return the answer to a request of Anthropic's API, which LiteLLM's proxy speaks."""
    key = stack.secret("backend_virtual_key")
    return requests.post(
        f"{stack.gateway_url}/v1/messages",
        json={
            "model": PRICED,
            "max_tokens": 20,
            "messages": [{"role": "user", "content": TEXT}],
        },
        headers={"Authorization": f"Bearer {key}", **headers},
        timeout=90,
    )


def test_a_request_by_way_of_litellm_has_one_id_and_one_trace(
    litellm: Stack, collector: Collector
) -> None:
    """Through both processes: gateway, LiteLLM, the internal endpoint, the provider and the row.

    The row has the caller's address and program, as that of a request without LiteLLM.
    """
    before = last_number(litellm)
    trace, above = uuid.uuid4().hex, "00f067aa0ba902b7"
    answer = through_litellm(
        litellm,
        traceparent=f"00-{trace}-{above}-01",
        **{"user-agent": "made-up/1.0", "x-forwarded-for": "203.0.113.7"},  # of no trusted proxy
    )
    direct = ask(litellm, litellm.secret("backend_virtual_key"), PRICED)

    assert answer.ok, answer.text
    request_id = answer.headers["x-litellm-call-id"]
    assert sent_ids(litellm, before)[0] == request_id
    (row,) = spend_rows(litellm, request_id, 1)
    assert row["session_id"] == trace
    lines_of_it = lines(litellm, "gateway", request_id)
    assert [each["message"] for each in lines_of_it] == ["request"]

    until(lambda: len(collector.trace(request_id)) >= 3, seconds=SECONDS, what="three spans")
    spans_of_it = {span.name: span for span in collector.trace(request_id)}
    forwarded, whole = spans_of_it["litellm"], spans_of_it["chat"]
    (attempt,) = [span for span in spans_of_it.values() if span not in (forwarded, whole)]
    assert {span.trace for span in spans_of_it.values()} == {trace}
    assert forwarded.parent == above
    assert whole.parent == forwarded.id
    assert attempt.parent == whole.id

    address, program = came_from(litellm, request_id)
    assert program == "made-up/1.0"
    assert address == came_from(litellm, direct.headers["x-litellm-call-id"])[0]


def came_from(stack: Stack, request_id: str) -> tuple[str, str]:
    """Return the address and program in a request's row, as soon as it is there."""
    spend_rows(stack, request_id, 1)
    (row,) = stack.sql(
        "SELECT requester_ip_address AS address, metadata->>'user_agent' AS program"
        ' FROM "LiteLLM_SpendLogs" WHERE litellm_call_id = %s',
        request_id,
    )
    return row["address"], row["program"]


def test_a_request_is_counted_once_on_litellms_page_of_usage(litellm: Stack) -> None:
    """By LiteLLM what its own server answers, by the gateway the rest, each under LiteLLM's name.

    LiteLLM writes its numbers every ten seconds, the gateway with the rows.
    """
    before = counted(litellm)
    forwarded = through_litellm(litellm)
    direct = ask(litellm, litellm.secret("backend_virtual_key"), PRICED)

    for answer in (forwarded, direct):
        spend_rows(litellm, answer.headers["x-litellm-call-id"], 1)
    until(
        lambda: counted(litellm)["/v1/messages"] > before["/v1/messages"],
        seconds=SECONDS,
        what="LiteLLM to write its numbers",
    )
    found = counted(litellm)
    assert found["/chat/completions"] == before["/chat/completions"] + 1
    assert found.keys() == {"/chat/completions", "/v1/messages"}


def test_failures_are_on_litellms_page_of_usage(litellm: Stack) -> None:
    """Each once by path, with the status that its caller got, and once under its caller's key.

    LiteLLM counts by path what its own server answers; the rest is the gateway's.
    """
    before = failures(litellm)
    rule = {"match": {"provider": "openai"}, "do": {"error": "bad_request"}}
    play(litellm, {"rules": [rule, *BAD_JSON_AND_CUT["rules"]]})
    try:
        answers = [ask(litellm, litellm.secret("backend_virtual_key")), through_litellm(litellm)]
    finally:
        play(litellm, BAD_JSON_AND_CUT)
    assert [answer.status_code for answer in answers] == [400, 400]

    def both_are_there() -> Counter[str]:
        found = failures(litellm) - before
        assert found["400"] >= len(answers)
        return found

    found = until(both_are_there, seconds=SECONDS, what="both failures")
    assert found == Counter({"400": 2, "backend-stub": 2, PRICED: 2, "backend-stub 400": 2})


def failures(stack: Stack) -> Counter[str]:
    """Return how many failures LiteLLM's page of usage shows for each status, key and model."""
    told = stack.administer("GET", "/gateway/errors/activity")
    found = Counter(
        {str(each["status_code"]): each["failed_requests"] for each in told["by_status_code"]}
    )
    for each in told["by_key"]:
        found[each["label"]] = each["failed_requests"]
        found[f"{each['label']} {each['top_status_code']}"] = each["top_status_code_requests"]
    for each in told["by_model"]:
        found[each["id"]] = each["failed_requests"]
    return found


def counted(stack: Stack) -> Counter[str]:
    """Return how many requests LiteLLM's page of usage shows for each path."""
    told = stack.administer("GET", "/gateway/daily/activity")
    return Counter({each["route"]: each["successful_requests"] for each in told["by_route"]})


def test_an_id_that_is_not_sane_is_replaced_on_the_way_to_litellm_too(litellm: Stack) -> None:
    """The caller, the provider and the row get the same one; a sane one stays."""
    for given, taken in (("job-8", True), ("job 8", False)):
        before = last_number(litellm)
        answer = through_litellm(litellm, **{"x-litellm-call-id": given})
        used = answer.headers["x-litellm-call-id"]
        assert (used == given) is taken
        assert sent_ids(litellm, before) == [used]


def test_each_line_of_litellms_service_is_json(litellm: Stack) -> None:
    """Its banner and its libraries' prints too, under the names that every service has."""
    written = litellm.compose("logs", "--no-log-prefix", "litellm").stdout.splitlines()
    found = [json.loads(line.removeprefix("\x1b[2K")) for line in written]

    assert {line["component"] for line in found} == {"litellm"}
    assert all(line["message"] and line["level"] and line["timestamp"] for line in found)


def test_no_span_holds_a_prompt_an_answer_or_a_key(stack: Stack, collector: Collector) -> None:
    """Neither does a log hold the collector's token, which the collector itself gets."""
    key = stack.secret("backend_virtual_key")
    answer = ask(stack, key, PRICED)
    spans(collector, answer.headers["x-litellm-call-id"], 2)

    sent = b"\n".join(collector.bodies)
    said = answer.json()["choices"][0]["message"]["content"]
    for secret in (TEXT, "Hallo", said, key, SCRIPTED_PROVIDERS["OPENAI_API_KEY"], TOKEN):
        assert secret.encode() not in sent
    assert collector.headers[0]["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in stack.compose("logs").stdout


def test_an_endpoint_that_is_no_url_is_refused_before_the_start(stack: Stack) -> None:
    """`./run check` names the variable and shows what would do."""
    done = stack.run("check", check=False, OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318")

    assert done.returncode != 0
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in done.stdout + done.stderr
    assert "http://collector:4318" in done.stdout + done.stderr


def test_a_collector_that_hangs_keeps_no_request_and_no_stop(
    stack: Stack, collector: Collector
) -> None:
    """Answers come as ever, and the gateway ends by itself."""
    key = stack.secret("backend_virtual_key")
    collector.hang.clear()
    answers = [ask(stack, key, PRICED) for _ in range(10)]

    assert {answer.status_code for answer in answers} == {200}
    assert max(answer.elapsed.total_seconds() for answer in answers) < 5
    stack.compose("stop", "gateway")
    assert stack.inspect("gateway")["State"]["ExitCode"] == 143  # SIGTERM's; a kill has 137

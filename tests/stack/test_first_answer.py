"""The main job: a German sentence goes in, items come out, their cost is in Postgres."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from support.stack import MODEL, Stack
from support.wait import until

SENTENCE = "Der Hund schläft im Garten, weil er müde ist."
# The journal is applied within a second; a busy machine takes longer.
SPEND_SECONDS = 60


def extract(stack: Stack, text: str = SENTENCE) -> requests.Response:
    """Post a text to the backend as the README's curl line does."""
    return requests.post(f"{stack.backend_url}/extract", json={"text": text}, timeout=180)


def spend_row(stack: Stack, request_id: str) -> dict[str, Any]:
    """Return the spend log of one request, as soon as it is written."""
    return until(
        lambda: stack.sql(
            'SELECT * FROM "LiteLLM_SpendLogs" WHERE litellm_call_id = %s', request_id
        ),
        seconds=SPEND_SECONDS,
        what=f"the spend log of {request_id}",
    )[0]


@pytest.fixture(scope="module")
def asked(stack: Stack) -> int:
    """Return how often the model server had been asked to chat before the extraction."""
    return chats(stack)


@pytest.fixture(scope="module")
def body(stack: Stack, asked: int) -> dict[str, Any]:
    """Return the answer to the one extraction that is looked at from all sides."""
    assert asked >= 0
    answer = extract(stack)
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


def chats(stack: Stack) -> int:
    """Return how many chat requests the model server's log shows."""
    return stack.compose("logs", "--no-log-prefix", "ollama").stdout.count("/api/chat")


def test_a_german_sentence_is_extracted_by_a_real_model(body: dict[str, Any]) -> None:
    """The answer has items of the three types, the model, the tokens, the cost and an id."""
    assert body.keys() == {"items", "model", "usage", "request_id", "route"}
    assert body["items"]
    for item in body["items"]:
        assert item.keys() == {"type", "text", "translation"}
        assert item["type"] in {"vocabulary", "phrase", "pattern"}
        assert item["text"]
    assert MODEL in body["model"]
    assert body["usage"]["prompt_tokens"] > 0
    assert body["usage"]["completion_tokens"] > 0
    assert body["usage"]["cost_usd"] == 0  # a local model costs nothing
    assert body["route"]["alias"] == "extraction-model"
    assert body["route"]["outcomes"] == ["answered"]


@pytest.mark.usefixtures("body")
def test_the_request_is_answered_by_ollama_itself(stack: Stack, asked: int) -> None:
    """The model server's log shows the chat request that the extraction caused."""
    assert chats(stack) > asked


def test_its_spend_row_has_the_tokens_that_were_reported(
    stack: Stack, body: dict[str, Any]
) -> None:
    """The row is found by the answer's request id and has its token counts, key and alias."""
    row = spend_row(stack, body["request_id"])

    assert row["prompt_tokens"] == body["usage"]["prompt_tokens"]
    assert row["completion_tokens"] == body["usage"]["completion_tokens"]
    assert row["total_tokens"] == row["prompt_tokens"] + row["completion_tokens"]
    assert row["model_group"] == "extraction-model"
    assert row["spend"] == 0


def test_daily_totals_and_the_keys_spend_follow_the_rows(
    stack: Stack, body: dict[str, Any]
) -> None:
    """The key's daily table grows by exactly the tokens of the rows."""
    row = spend_row(stack, body["request_id"])

    def totals_equal_rows() -> bool:
        rows = stack.sql(
            "SELECT count(*) AS requests, sum(prompt_tokens) AS prompt, sum(completion_tokens)"
            ' AS completion, sum(spend) AS spend FROM "LiteLLM_SpendLogs" WHERE api_key = %s',
            row["api_key"],
        )[0]
        daily = stack.sql(
            "SELECT sum(api_requests) AS requests, sum(prompt_tokens) AS prompt,"
            " sum(completion_tokens) AS completion, sum(spend) AS spend"
            ' FROM "LiteLLM_DailyUserSpend" WHERE api_key = %s',
            row["api_key"],
        )[0]
        key = stack.sql(
            'SELECT spend FROM "LiteLLM_VerificationToken" WHERE token = %s', row["api_key"]
        )[0]
        assert daily == rows
        assert key["spend"] == rows["spend"]
        return True

    until(totals_equal_rows, seconds=SPEND_SECONDS, what="the totals to equal the rows")


def test_spend_is_shown_as_a_table_and_as_data(stack: Stack, body: dict[str, Any]) -> None:
    """`./run spend` prints the model and its tokens; --json prints the sums of the rows."""
    spend_row(stack, body["request_id"])

    table = stack.run("spend").stdout
    data = json.loads(stack.run("spend", "--json").stdout)

    rows = stack.sql(
        'SELECT count(*) AS requests, sum(prompt_tokens) AS prompt FROM "LiteLLM_SpendLogs"'
    )[0]
    assert "extraction-model" in table
    assert data["total"]["requests"] == rows["requests"]
    assert data["total"]["prompt_tokens"] == rows["prompt"]


def test_an_explanation_is_streamed_when_asked_for(stack: Stack) -> None:
    """With Accept: text/event-stream the answer comes as events and ends with the usage."""
    with requests.post(
        f"{stack.backend_url}/explain",
        json={"item": "weil", "context": SENTENCE},
        headers={"Accept": "text/event-stream"},
        stream=True,
        timeout=180,
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines(decode_unicode=True) if line]

    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    last = json.loads([line for line in lines if line.startswith("data: ")][-1][len("data: ") :])
    assert events.count("delta") > 1
    assert events[-1] == "done"
    assert last["usage"]["completion_tokens"] > 0
    assert last["usage"]["cost_usd"] == 0  # known to be nothing, not unknown


def test_an_explanation_comes_whole_when_not_streamed(stack: Stack) -> None:
    """Without that header the answer is one JSON object."""
    answer = requests.post(
        f"{stack.backend_url}/explain", json={"item": "weil", "context": SENTENCE}, timeout=180
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["explanation"]


def test_bad_input_names_the_field(stack: Stack) -> None:
    """An empty text is refused with 422 and the field's name, before any model is asked."""
    answer = extract(stack, "")

    assert answer.status_code == 422
    assert "text" in answer.text


def test_the_api_is_documented_without_the_internet(stack: Stack) -> None:
    """The page at /docs loads nothing from another host."""
    page = requests.get(f"{stack.backend_url}/docs", timeout=10)

    assert page.status_code == 200
    assert "https://" not in page.text

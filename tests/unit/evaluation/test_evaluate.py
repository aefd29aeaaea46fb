"""The evaluation: what it asks, counts, waits for and gives up on."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from backend_stub import prompts
from backend_stub.evaluation import evaluate as evaluate_module
from backend_stub.evaluation.entries import load, spread
from backend_stub.evaluation.evaluate import Answer, ask
from backend_stub.settings import Settings
from support.fake_gateway import DEPLOYMENT, FakeGateway, completion, error

from .conftest import Evaluate, found, perfect

FIRST = load()[0]
INVALID = "Gerne! Hier sind die Vokabeln"


def test_asks_as_extract_does(evaluate: Evaluate, gateway: FakeGateway) -> None:
    """Each sentence is asked once, in order, with prompt, schema and key of /extract."""
    gateway.will(*perfect())

    evaluate(model="extraction-model-openai")

    assert [gateway.body(n)["messages"] for n in range(60)] == [
        prompts.extraction(entry.sentence) for entry in load()
    ]
    body = gateway.body()
    assert body["model"] == "extraction-model-openai"
    assert body["response_format"] == prompts.EXTRACTION_FORMAT
    assert gateway.requests[0].headers["authorization"] == "Bearer sk-key"
    assert len(gateway.requests) == len(set(gateway.call_ids)) == 60


def test_counts(evaluate: Evaluate, gateway: FakeGateway) -> None:
    """Repairs, invalid answers, tokens and cost are counted, those of failed sentences included."""
    gateway.will(
        completion(found(FIRST), x_litellm_response_cost="0.001", x_litellm_model_id="abc"),
        completion(INVALID, x_litellm_response_cost="0.002"),
        completion('{"items": []}', x_litellm_response_cost="0.004"),
        completion(INVALID, x_litellm_response_cost="0.008"),
        completion(INVALID, x_litellm_response_cost="0.016"),
    )

    record = evaluate("--sentences", "3", "--json").json

    assert record["outcomes"] == {"valid": 1, "repaired": 1, "invalid": 1, "failed": 0}
    assert record["errors"] == {"invalid_model_output": 1}
    assert record["valid_json"] == pytest.approx(1 / 3, abs=1e-4)
    assert (record["prompt_tokens"], record["completion_tokens"]) == (55, 35)
    assert record["cost_usd"] == pytest.approx(0.031)
    assert record["deployments"] == {DEPLOYMENT: 2}
    assert record["deployment_ids"] == ["abc"]
    assert record["counts"]["hits"] == len(FIRST.expected)
    asked = spread(load(), 3)
    assert record["counts"]["expected"] == sum(len(entry.expected) for entry in asked)


def test_seconds(evaluate: Evaluate, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence takes from its question to its answer; the median is of the sentences."""
    durations = iter((0, 2, 2, 10, 10, 13))
    monkeypatch.setattr(
        evaluate_module, "time", type("Clock", (), {"monotonic": durations.__next__})
    )
    gateway.will(*perfect(3))

    assert evaluate("--sentences", "3", "--json").json["seconds_median"] == 3


def test_fallback_is_no_answer(evaluate: Evaluate, gateway: FakeGateway) -> None:
    """An answer that another alias gave says nothing about this one, and is not scored."""
    other = completion(found(FIRST), x_litellm_attempted_fallbacks="1")
    gateway.will(other, *perfect()[1:])

    record = evaluate("--json").json

    assert record["outcomes"]["failed"] == 1
    assert record["errors"] == {"answered_by_fallback": 1}
    assert record["deployments"] == {DEPLOYMENT: 59}


def test_a_few_failures(evaluate: Evaluate, gateway: FakeGateway) -> None:
    """A sentence without an answer counts as nothing found, but not as invalid JSON."""
    gateway.will(error(500, "litellm.InternalServerError: no"), *perfect()[1:])

    ran = evaluate("--json")

    assert ran.code == 0
    assert ran.json["outcomes"] == {"valid": 59, "repaired": 0, "invalid": 0, "failed": 1}
    assert ran.json["valid_json"] == 1
    assert ran.json["counts"]["hits"] == ran.json["counts"]["expected"] - len(FIRST.expected)


def test_too_many_failures(evaluate: Evaluate, gateway: FakeGateway) -> None:
    """With more than a tenth of the sentences unanswered there is no verdict, and a reason."""
    gateway.will(*[error(500, "litellm.InternalServerError: no")] * 7, *perfect()[7:])

    ran = evaluate()

    assert (ran.code, ran.out) == (2, "")
    assert "7 of 60 sentences got no answer of extraction-model (7 provider_failed)" in ran.err
    assert "LITELLM_TIMEOUT" in ran.err


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.ConnectError("refused"), "LITELLM_BASE_URL"),
        (error(401, "no", "token_not_found_in_db"), "LITELLM_API_KEY"),
        (error(403, "no", "key_model_access_denied"), "GET /models"),
        (error(400, "Invalid model name passed in model=x"), "GET /models"),
        (error(422, "Budget has been exceeded", "budget_exceeded"), "BACKEND_BUDGET"),
        (error(401, "litellm.AuthenticationError: no"), "provider's key"),
    ],
)
def test_hopeless(evaluate: Evaluate, gateway: FakeGateway, answer: object, says: str) -> None:
    """What no other sentence can fare better with ends the run at once, with what to do."""
    gateway.will(*[answer] * 3)

    ran = evaluate("--json")

    assert (ran.code, ran.out) == (2, "")
    assert "extraction-model: no verdict" in ran.err
    assert says in ran.err
    assert len(gateway.requests) <= 2  # a refused connection is tried twice here


def test_rate_limit(evaluate: Evaluate, gateway: FakeGateway) -> None:
    """A rate limit is waited for as long as it says, and the sentence asked again."""
    gateway.will(error(429, "slow", headers={"retry-after": "0"}), *perfect(3))

    record = evaluate("--sentences", "3", "--json").json

    assert record["outcomes"]["valid"] == 3
    assert gateway.body(0)["messages"] == gateway.body(1)["messages"]


def test_lasting_rate_limit(evaluate: Evaluate, gateway: FakeGateway) -> None:
    """A rate limit that lasts is given up after three waits."""
    gateway.will(*[error(429, "slow", headers={"retry-after": "0"})] * 4, *perfect()[1:])

    assert evaluate("--json").json["errors"] == {"rate_limited": 1}


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("7", 7), ("3600", 60), ("Wed, 21 Oct 2026 07:28:00 GMT", 60)],
)
def test_wait(
    evaluate: Evaluate,
    gateway: FakeGateway,
    monkeypatch: pytest.MonkeyPatch,
    retry_after: str,
    seconds: float,
) -> None:
    """The wait is what Retry-After says in seconds, at most a minute, which a date counts as."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    gateway.will(error(429, "slow", headers={"retry-after": retry_after}), *perfect(1))

    evaluate("--sentences", "1")

    assert waits == [seconds]


class _Crowd(httpx.AsyncBaseTransport):
    """A gateway that answers only when a number of requests wait, and counts the most."""

    def __init__(self, size: int) -> None:
        self.waiting = self.most = 0
        self._size = size
        self._full = asyncio.Condition()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer with nothing found."""
        async with self._full:
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            self._full.notify_all()
            await asyncio.wait_for(self._full.wait_for(lambda: self.most >= self._size), 5)
            self.waiting -= 1
        response = completion(json.dumps({"items": []}))
        response.request = request
        return response


@pytest.mark.parametrize("concurrency", [1, 4])
def test_concurrency(concurrency: int) -> None:
    """As many sentences as asked for are under way, never more, and answers keep their order."""

    async def run() -> tuple[list[Answer], int]:
        crowd = _Crowd(concurrency)
        answers = await ask(
            Settings.from_environment(),
            "extraction-model",
            load(),
            concurrency=concurrency,
            transport=crowd,
        )
        return answers, crowd.most

    answers, most = asyncio.run(run())

    assert most == concurrency
    assert [answer.entry for answer in answers] == list(load())

"""POST /extract: items from a model's JSON, one repair, usage, cost and the spend log's id."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from backend_stub.prompts import EXTRACTION_FORMAT, extraction
from backend_stub.schemas import MAX_ITEM_TEXT, MAX_ITEMS, MAX_TRANSLATION, ModelItems
from support.fake_gateway import HANG, FakeGateway, completion

TEXT = "Der Hund schläft im Garten, weil er müde ist."
HUND = {"type": "vocabulary", "text": "der Hund", "translation": "the dog"}
WEIL = {"type": "pattern", "text": "weil + Verb am Ende", "translation": "because, verb last"}


def items(*found: dict[str, str]) -> str:
    """Return the model's JSON for these items."""
    return json.dumps({"items": found}, ensure_ascii=False)


def test_answer(client: httpx.Client, gateway: FakeGateway) -> None:
    """A text is answered with its items, the deployment, tokens, cost and a request id."""
    gateway.will(completion(items(HUND, WEIL), x_litellm_response_cost="0.00025"))

    response = client.post("/extract", json={"text": TEXT})

    assert response.status_code == 200
    assert response.json() == {
        "items": [HUND, WEIL],
        "model": "ollama_chat/llama3.2",
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "cost_usd": 0.00025},
        "request_id": response.headers["x-request-id"],
        "route": None,
    }


def test_call(client: httpx.Client, gateway: FakeGateway) -> None:
    """The gateway gets the text, the alias, the schema, bounds, and the key of this service."""
    gateway.will(completion(items(HUND)))

    client.post("/extract", json={"text": TEXT})

    body = gateway.body()
    assert str(gateway.requests[0].url) == "http://gateway:4000/v1/chat/completions"
    assert gateway.requests[0].headers["authorization"] == "Bearer sk-the-backends-own-key"
    assert body["model"] == "extraction-model"
    assert body["messages"][-1] == {"role": "user", "content": f"Text: {TEXT}"}
    assert body["response_format"] == EXTRACTION_FORMAT
    assert body["temperature"] == 0
    assert body["max_tokens"] == 1024


def test_other_model(serve: Callable[..., httpx.Client], gateway: FakeGateway) -> None:
    """LITELLM_EXTRACTION_MODEL chooses another alias."""
    gateway.will(completion(items(HUND)))

    serve(litellm_extraction_model="extraction-model-openai").post("/extract", json={"text": TEXT})

    assert gateway.body()["model"] == "extraction-model-openai"


def test_model_of_the_request(client: httpx.Client, gateway: FakeGateway) -> None:
    """A request's own `model` goes before the setting, in the repair as well."""
    gateway.will(completion("no JSON"), completion(items(HUND)))

    client.post("/extract", json={"text": TEXT, "model": "extraction-model-claude"})

    assert [gateway.body(call)["model"] for call in (0, 1)] == ["extraction-model-claude"] * 2


def test_request_id(client: httpx.Client, gateway: FakeGateway) -> None:
    """The request id is the call id that the gateway books the call under, new for each request."""
    gateway.will(completion(items(HUND)), completion(items(HUND)))

    ids = [client.post("/extract", json={"text": TEXT}).json()["request_id"] for _ in range(2)]

    assert gateway.call_ids == ids
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("headers", "cost"),
    [({"x-gateway-cost": "0.0"}, 0.0), ({"x-gateway-cost": "1e-06"}, 1e-06), ({}, None)],
)
def test_cost(
    client: httpx.Client, gateway: FakeGateway, headers: dict[str, str], cost: float | None
) -> None:
    """A free answer costs 0; one of an unpriced model has no cost, and is not a silent 0."""
    gateway.will(httpx.Response(200, json=completion(items(HUND)).json(), headers=headers))

    assert client.post("/extract", json={"text": TEXT}).json()["usage"]["cost_usd"] == cost


def test_model_without_header(client: httpx.Client, gateway: FakeGateway) -> None:
    """A gateway that does not name the deployment leaves the answer's own model name."""
    answer = completion(items(HUND))
    del answer.headers["x-litellm-model-name"]
    gateway.will(answer)

    assert client.post("/extract", json={"text": TEXT}).json()["model"] == "extraction-model"


@pytest.mark.parametrize("fence", ["```json\n{}\n```", "```\n{}\n```", " {}\n"])
def test_code_block(client: httpx.Client, gateway: FakeGateway, fence: str) -> None:
    """JSON inside a Markdown code block is read without a repair."""
    gateway.will(completion(fence.replace("{}", items(HUND))))

    assert client.post("/extract", json={"text": TEXT}).json()["items"] == [HUND]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ('{"items": [', "EOF"),
        ("Gerne! Hier sind die Vokabeln", "expected value"),
        ("", "EOF"),
        ('{"words": []}', "items: Field required"),
        (items({**HUND, "type": "noun"}), "items.0.type: Input should be"),
        (items({**HUND, "text": " "}), "items.0.text: String should have at least 1"),
        (items({**HUND, "text": "x" * (MAX_ITEM_TEXT + 1)}), "items.0.text: String should have at"),
        (items(*[HUND] * (MAX_ITEMS + 1)), "items: List should have at most"),
    ],
)
def test_repair(client: httpx.Client, gateway: FakeGateway, answer: str, problem: str) -> None:
    """An answer that breaks the schema is sent back once with what is wrong, and usage adds up."""
    gateway.will(
        completion(answer, prompt_tokens=10, completion_tokens=1, x_litellm_response_cost="0.001"),
        completion(
            items(HUND), prompt_tokens=30, completion_tokens=5, x_litellm_response_cost="0.002"
        ),
    )

    response = client.post("/extract", json={"text": TEXT})

    assert response.status_code == 200
    assert response.json()["items"] == [HUND]
    assert response.json()["usage"] == {
        "prompt_tokens": 40,
        "completion_tokens": 6,
        "cost_usd": pytest.approx(0.003),
    }
    sent = gateway.body()["messages"]
    assert sent[-2] == {"role": "assistant", "content": answer}
    assert problem in sent[-1]["content"]


def test_a_repair_is_booked_too(client: httpx.Client, gateway: FakeGateway) -> None:
    """A repair has a row of its own, whose id begins with the request's."""
    gateway.will(completion("no"), completion(items(HUND)))

    request_id = client.post("/extract", json={"text": TEXT}).json()["request_id"]

    assert gateway.call_ids == [request_id, f"{request_id}-repair"]
    parents = [request.headers["traceparent"] for request in gateway.requests]
    pattern = rf"00-{request_id.replace('-', '')}-[0-9a-f]{{16}}-01"
    assert [bool(re.fullmatch(pattern, parent)) for parent in parents] == [True, True]


def test_repair_fails(client: httpx.Client, gateway: FakeGateway) -> None:
    """A second invalid answer is a 502 that says so, quotes nothing, and is not tried again."""
    gateway.will(completion("no"), completion(items({**HUND, "type": "geheim"})))

    response = client.post("/extract", json={"text": TEXT})

    assert response.status_code == 502
    error = response.json()["error"]
    assert error["code"] == "invalid_model_output"
    assert "repair" in error["message"]
    assert "items.0.type" in error["message"]
    assert "geheim" not in error["message"]
    assert error["request_id"] == response.headers["x-request-id"]
    assert len(gateway.requests) == 2


def test_deadline_covers_the_repair(
    serve: Callable[..., httpx.Client], gateway: FakeGateway
) -> None:
    """LITELLM_TIMEOUT is what a caller waits at most, both attempts together."""
    gateway.will(completion("no"), HANG)

    response = serve(litellm_timeout=0.3).post("/extract", json={"text": TEXT})

    assert response.status_code == 504
    assert response.elapsed.total_seconds() < 5
    assert gateway.cancelled.wait(5)


def strict(schema: Any) -> bool:
    """Tell whether OpenAI's strict mode takes a schema: all objects closed, all keys required."""
    if schema["type"] == "object":
        closed = schema["additionalProperties"] is False
        complete = schema["required"] == list(schema["properties"])
        return closed and complete and all(map(strict, schema["properties"].values()))
    return strict(schema["items"]) if schema["type"] == "array" else True


def test_schema() -> None:
    """The schema is one that strict mode takes, and every string and list in it is bounded."""
    schema: Any = EXTRACTION_FORMAT["json_schema"]["schema"]
    listed = schema["properties"]["items"]
    fields = listed["items"]["properties"]

    assert strict(schema)
    assert listed["maxItems"] == MAX_ITEMS
    assert fields["text"]["maxLength"] == MAX_ITEM_TEXT
    assert fields["translation"]["maxLength"] == MAX_TRANSLATION
    assert set(fields["type"]["enum"]) == {"vocabulary", "phrase", "pattern"}


def test_examples() -> None:
    """The worked examples in front of a text keep to the schema that they teach."""
    *examples, _ = extraction(TEXT)[1:]

    assert [each["role"] for each in examples] == ["user", "assistant"] * 3
    for each in examples[1::2]:
        ModelItems.model_validate_json(str(each["content"]))

"""GET /models: what a request's `model` may be, and who serves it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from support.fake_gateway import FakeGateway, error

NAMES = ["extraction-model", "explanation-model"]
LIST = {"object": "list", "data": [{"id": name, "object": "model"} for name in NAMES]}


def deployment(name: str, model: str) -> dict[str, Any]:
    """Return a deployment as LiteLLM's /model/info describes it."""
    return {"model_name": name, "litellm_params": {"model": model, "api_base": "http://inner"}}


def test_models(client: httpx.Client, gateway: FakeGateway) -> None:
    """Each name has the models behind it, each once; the defaults are reported as well."""
    deployments = [
        deployment("extraction-model", "ollama_chat/llama3.2"),
        deployment("extraction-model", "ollama_chat/llama3.2"),
        deployment("extraction-model", "openai/gpt-4o-mini"),
        deployment("not-for-this-key", "openai/gpt-4o"),
    ]
    gateway.will(httpx.Response(200, json=LIST), httpx.Response(200, json={"data": deployments}))

    assert client.get("/models").json() == {
        "extraction": "extraction-model",
        "explanation": "explanation-model",
        "models": [
            {
                "name": "extraction-model",
                "served_by": ["ollama_chat/llama3.2", "openai/gpt-4o-mini"],
            },
            {"name": "explanation-model", "served_by": []},
        ],
    }
    assert [request.url.path for request in gateway.requests] == ["/v1/models", "/v1/model/info"]
    asked_with = {request.headers["authorization"] for request in gateway.requests}
    assert asked_with == {"Bearer sk-the-backends-own-key"}
    assert gateway.requests[0].extensions["timeout"]["read"] == 5


@pytest.mark.parametrize(
    "answer",
    [
        error(403, "only for admins"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"detail": "no"}),
        httpx.Response(200, json=["no"]),
        httpx.ReadTimeout("slow"),
    ],
)
def test_providers_not_told(client: httpx.Client, gateway: FakeGateway, answer: object) -> None:
    """A gateway that does not tell who serves them still has its names listed."""
    gateway.will(httpx.Response(200, json=LIST), answer)

    response = client.get("/models")

    assert response.status_code == 200
    assert response.json()["models"] == [{"name": name, "served_by": []} for name in NAMES]


def test_gateway_down(client: httpx.Client, gateway: FakeGateway) -> None:
    """A gateway that cannot be reached is reported as with every other request."""
    gateway.will(httpx.ConnectError("refused"))

    response = client.get("/models")

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "gateway_unreachable"

"""What a caller sees when the request, the gateway, the provider or this service is at fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Never

import httpx
import pytest

from backend_stub import prompts
from gateway.routing.caller_error import NO_MODEL_KEPT_THE_SCHEMA
from support.fake_gateway import HANG, FakeGateway, completion, error

ITEMS = '{"items": []}'


def ask(client: httpx.Client) -> httpx.Response:
    """Send a good request."""
    return client.post("/extract", json={"text": "Der Hund"})


def refused(code: str) -> httpx.Response:
    """Return a provider's refusal as the gateway hands it on: with OpenAI's code."""
    inner = {"message": "no", "type": "invalid_request_error", "param": None, "code": code}
    return httpx.Response(400, json={"error": inner})


def defect(_text: str) -> Never:
    """Fail as no caller or gateway can cause it."""
    raise ZeroDivisionError("inner detail")


def shape(response: httpx.Response) -> dict[str, Any]:
    """Return the error; every error has the same shape and the request's id."""
    assert list(response.json()) == ["error"]
    found: dict[str, Any] = response.json()["error"]
    assert set(found) - {"fields"} == {"code", "message", "request_id"}
    assert None not in found.values()
    assert found["request_id"] == response.headers["x-request-id"]
    return found


@pytest.mark.parametrize(
    ("path", "body", "field", "says"),
    [
        ("/extract", {}, "text", "required"),
        ("/extract", {"text": ""}, "text", "at least 1 character"),
        ("/extract", {"text": " \n"}, "text", "at least 1 character"),
        ("/extract", {"text": "ä" * 4001}, "text", "at most 4000 characters"),
        ("/extract", {"text": 7}, "text", "valid string"),
        ("/extract", {"text": "a", "modell": "gpt-4o"}, "modell", "not permitted"),
        ("/extract", {"text": "a", "model": " "}, "model", "at least 1 character"),
        ("/explain", {"item": "a", "model": "m" * 201}, "model", "at most 200 characters"),
        ("/explain", {"context": "a"}, "item", "required"),
        ("/explain", {"item": "a", "context": 1}, "context", "valid string"),
    ],
)
def test_invalid_input(
    client: httpx.Client,
    gateway: FakeGateway,
    *,
    path: str,
    body: dict[str, Any],
    field: str,
    says: str,
) -> None:
    """Bad input is a 422 that names the field and what is wrong, and costs nothing."""
    response = client.post(path, json=body)

    assert response.status_code == 422
    assert shape(response)["code"] == "invalid_input"
    assert shape(response)["fields"] == [field]
    assert shape(response)["message"].startswith(f"{field}: ")
    assert says in shape(response)["message"]
    assert gateway.requests == []


def test_longest_text(client: httpx.Client, gateway: FakeGateway) -> None:
    """4000 characters are taken, umlauts counting as one each."""
    gateway.will(completion(ITEMS))

    assert client.post("/extract", json={"text": "ä" * 4000}).status_code == 200


def test_input_is_not_repeated(client: httpx.Client) -> None:
    """An error does not repeat the text that it is about."""
    assert "geheim" not in client.post("/extract", json={"text": "geheim" * 1000}).text


def test_broken_json(client: httpx.Client) -> None:
    """JSON that cannot be parsed is a 422 that tells where it breaks."""
    headers = {"content-type": "application/json"}

    response = client.post("/extract", content='{"text": }', headers=headers)

    assert response.status_code == 422
    assert shape(response)["code"] == "invalid_json"
    assert "at character 9" in shape(response)["message"]


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ('{"text": "Der Hund"}', "application/x-www-form-urlencoded"),
        ('"Der Hund"', "application/json"),
    ],
)
def test_no_json_object(client: httpx.Client, content: str, content_type: str) -> None:
    """A body that is not a JSON object, as by curl -d alone, is a 422 that says what to send."""
    response = client.post("/extract", content=content, headers={"content-type": content_type})

    assert response.status_code == 422
    assert "content-type: application/json" in shape(response)["message"]


def test_too_large(client: httpx.Client) -> None:
    """A body over 64 KiB is a 413, without being read to its end."""
    response = client.post("/extract", json={"text": "x" * 70_000})

    assert response.status_code == 413
    assert shape(response)["code"] == "content_too_large"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nothing", 404, "not_found"), ("GET", "/extract", 405, "method_not_allowed")],
)
def test_no_such_endpoint(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    """The framework's own refusals have the same shape."""
    response = client.request(method, path)

    assert response.status_code == status
    assert shape(response)["code"] == code


def test_gateway_refuses_connections(client: httpx.Client, gateway: FakeGateway) -> None:
    """A gateway that is down is a 503 with Retry-After, after three tries to connect."""
    gateway.will(*[httpx.ConnectError("connection refused")] * 3)

    response = ask(client)

    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert shape(response)["code"] == "gateway_unreachable"
    assert "LITELLM_BASE_URL" in shape(response)["message"]
    assert len(gateway.requests) == 3


@pytest.mark.parametrize(
    "problem", [httpx.ConnectError("Name or service not known"), httpx.ConnectTimeout("no route")]
)
def test_gateway_not_found(client: httpx.Client, gateway: FakeGateway, problem: Exception) -> None:
    """So is a host name that does not resolve, or a host that never answers."""
    gateway.will(*[problem] * 3)

    assert ask(client).status_code == 503


def test_gateway_restarts(client: httpx.Client, gateway: FakeGateway) -> None:
    """A gateway that is just being replaced is waited for: nothing was sent, so nothing is paid."""
    gateway.will(httpx.ConnectError("connection refused"), completion(ITEMS))

    assert ask(client).status_code == 200


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (httpx.ReadError("reset by peer"), 503),
        (httpx.ReadTimeout("slow"), 504),
        (error(500, "litellm.InternalServerError"), 502),
        (error(503, "overloaded"), 503),
    ],
)
def test_sent_once(client: httpx.Client, gateway: FakeGateway, answer: object, status: int) -> None:
    """A request that was sent is never sent again from here: the gateway retries."""
    gateway.will(answer)

    assert ask(client).status_code == status
    assert len(gateway.requests) == 1


def test_slow_gateway(serve: Callable[..., httpx.Client], gateway: FakeGateway) -> None:
    """No answer within LITELLM_TIMEOUT is a 504, and the call is given up."""
    gateway.will(HANG)

    response = ask(serve(litellm_timeout=0.2))

    assert response.status_code == 504
    assert shape(response)["code"] == "gateway_timeout"
    assert response.elapsed.total_seconds() < 5
    assert gateway.cancelled.wait(5)


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (error(422, "Budget has been exceeded!", "budget_exceeded"), 402, "budget_exceeded"),
        (error(429, "ExceededBudget", "budget_exceeded"), 402, "budget_exceeded"),
        (error(500, "down", "no_db_connection"), 503, "gateway_unavailable"),
        (error(401, "Authentication Error", "token_not_found_in_db"), 502, "gateway_key_refused"),
        (error(401, "Authentication Error", "auth_error"), 502, "gateway_key_refused"),
        (error(401, "Authentication Error", "expired_key"), 502, "gateway_key_refused"),
        (error(403, "forbidden"), 502, "gateway_key_refused"),
        (
            error(401, "litellm.AuthenticationError: OpenAIException - Incorrect API key: sk-x"),
            502,
            "provider_key_refused",
        ),
        (error(403, "no", "key_model_access_denied"), 502, "model_unavailable"),
        (
            httpx.Response(
                400, json={"error": {"message": "Invalid model name passed in model=x"}}
            ),
            502,
            "model_unavailable",
        ),
        (
            httpx.Response(400, json={"detail": {"error": "Invalid model name passed in model=x"}}),
            502,
            "model_unavailable",
        ),
        (error(408, "litellm.Timeout: x"), 504, "gateway_timeout"),
        (error(504, "gateway timeout"), 504, "gateway_timeout"),
        (error(400, "litellm.ContextWindowExceededError: x"), 400, "context_window_exceeded"),
        (error(400, "litellm.ContentPolicyViolationError: x"), 400, "content_refused"),
        (refused("context_length_exceeded"), 400, "context_window_exceeded"),
        (refused("content_policy_violation"), 400, "content_refused"),
        (error(400, "litellm.BadRequestError: x"), 502, "provider_failed"),
        (
            error(502, f"{NO_MODEL_KEPT_THE_SCHEMA}: 'items' is required"),
            502,
            "invalid_model_output",
        ),
        (error(500, "litellm.APIConnectionError: OllamaException"), 502, "provider_failed"),
        (httpx.Response(500, text="<html>oops</html>"), 502, "provider_failed"),
        (httpx.Response(200, text="<html>hello</html>"), 502, "answer_broken"),
        (httpx.Response(200, json={"choices": []}), 502, "answer_broken"),
    ],
)
def test_gateway_errors(
    client: httpx.Client, gateway: FakeGateway, answer: httpx.Response, status: int, code: str
) -> None:
    """Each kind of error of the gateway has a status and a code of its own."""
    gateway.will(answer)

    response = ask(client)

    assert (response.status_code, shape(response)["code"]) == (status, code)


@pytest.mark.parametrize(("headers", "wait"), [({"retry-after": "17"}, "17"), ({}, "5")])
def test_rate_limit(
    client: httpx.Client, gateway: FakeGateway, headers: dict[str, str], wait: str
) -> None:
    """A 429 is passed on with its Retry-After, or with 5 seconds where it has none."""
    gateway.will(error(429, "litellm.RateLimitError", "throttling_error", headers))

    response = ask(client)

    assert response.status_code == 429
    assert response.headers["retry-after"] == wait
    assert shape(response)["code"] == "rate_limited"


def test_refused_key(client: httpx.Client, gateway: FakeGateway) -> None:
    """A refused key is reported with what to set, never with the key or the gateway's words."""
    gateway.will(error(401, "Received API Key = sk-...-key, Key Hash = 1a2b", "auth_error"))

    message = shape(ask(client))["message"]

    assert "LITELLM_API_KEY" in message
    assert "sk-" not in message
    assert "1a2b" not in message


def test_defect(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of this service is a 500 in the same shape, without its inner details."""
    monkeypatch.setattr(prompts, "extraction", defect)

    response = ask(client)

    assert response.status_code == 500
    assert shape(response)["code"] == "internal_error"
    assert "inner detail" not in response.text

"""Health, readiness, the OpenAPI page and the log."""

from __future__ import annotations

import json
import logging
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from backend_stub import health, prompts
from backend_stub.logs import configure_logging
from backend_stub.settings import Settings
from support.fake_gateway import HANG, FakeGateway, Stream, chunk, completion, error
from support.wait import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    StartLogged = Callable[..., tuple[httpx.Client, Callable[[int], list[str]]]]


class Healthy(BaseHTTPRequestHandler):
    """A service that is well."""

    def do_GET(self) -> None:
        """Say so."""
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


ITEMS = '{"items": [{"type": "vocabulary", "text": "der Geheimtext", "translation": "secret"}]}'


def test_health(client: httpx.Client, gateway: FakeGateway) -> None:
    """GET /health is about this service alone: it answers without the gateway."""
    response = client.get("/health")

    assert response.status_code == 200
    assert response.json() == {"status": "healthy", "version": "0.1.0", "gateway": "not asked"}
    assert gateway.requests == []


@pytest.mark.parametrize("path", ["/health/ready", "/health?deep=1"])
def test_ready(client: httpx.Client, gateway: FakeGateway, path: str) -> None:
    """Readiness asks the gateway's own health, and calls no model."""
    gateway.will(httpx.Response(200, json={"status": "healthy"}))

    assert client.get(path).json()["gateway"] == "healthy"
    assert [str(request.url) for request in gateway.requests] == ["http://gateway:4000/health"]
    assert gateway.requests[0].extensions["timeout"]["read"] == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            httpx.Response(503, json={"status": "unhealthy", "reasons": ["database down"]}),
            "database down",
        ),
        (httpx.Response(500, text="oops"), "status 500"),
        (httpx.ConnectError("refused"), "no answer"),
        (httpx.ReadTimeout("slow"), "no answer"),
    ],
)
def test_not_ready(client: httpx.Client, gateway: FakeGateway, answer: object, why: str) -> None:
    """A gateway that is unhealthy, broken or silent is a 503 with its reason and Retry-After."""
    gateway.will(answer)

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "gateway_not_ready"
    assert why in response.json()["error"]["message"]
    assert response.headers["retry-after"] == "5"


def test_container_check(client: httpx.Client) -> None:
    """The container's check passes while the service answers."""
    assert health.check(client.base_url.host, client.base_url.port or 0) is None


def test_container_check_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails with exit code 1 and the reason when nothing listens."""
    monkeypatch.setenv("PORT", "9")
    monkeypatch.setattr(health, "_LIMIT", 0.01)

    with pytest.raises(SystemExit) as ended:
        health.main()

    assert ended.value.code == 1
    assert "unhealthy: no answer from 127.0.0.1:9" in capsys.readouterr().out


def test_container_check_waits_for_a_service_that_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks again while nothing listens."""
    with HTTPServer(("127.0.0.1", 0), Healthy, bind_and_activate=False) as server:
        server.server_bind()  # the port is taken, and connections are refused until it listens
        answering = threading.Thread(target=server.handle_request)

        def begin(_: float) -> None:
            server.server_activate()
            answering.start()

        monkeypatch.setattr("backend_stub.health.time.sleep", begin)
        assert health.check("127.0.0.1", server.server_address[1], 60) is None
        answering.join(10)


def test_container_check_reads_the_status() -> None:
    """Whatever answers with another status than 200 is not healthy."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:  # knows no method at all
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        problem = health.check("127.0.0.1", server.server_port)
        answering.join(10)

    assert problem == "GET /health answers 501"


def test_docs_work_offline(client: httpx.Client) -> None:
    """/docs loads nothing from another host, and what it loads is there."""
    page = client.get("/docs")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert page.status_code == 200
    assert len(loaded) >= 2
    assert [each for each in loaded if not each.startswith("/")] == []
    assert {client.get(each).status_code for each in loaded} == {200}


def test_docs_describe_errors(client: httpx.Client) -> None:
    """The OpenAPI document names both endpoints with their error answers."""
    paths = client.get("/openapi.json").json()["paths"]

    for path in ("/extract", "/explain"):
        described = paths[path]["post"]["responses"]
        assert {"200", "402", "422", "429", "502", "503", "504"} <= set(described)
        schema = described["422"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/ErrorBody"}


@pytest.fixture
def logged(
    serve: Callable[..., httpx.Client], capsys: pytest.CaptureFixture[str]
) -> Iterator[StartLogged]:
    """Yield a function that starts the service with its own log: a client, and the lines."""
    written: list[str] = []

    def lines(requests: int) -> list[str]:
        """Return the lines, once that many requests are logged: they are after the answer."""

        def complete() -> bool:
            written.extend(capsys.readouterr().out.splitlines())
            return sum("duration_ms" in line for line in written) >= requests

        until(complete, seconds=10, what=f"{requests} requests in the log")
        return written

    def start(**settings: object) -> tuple[httpx.Client, Callable[[int], list[str]]]:
        configure_logging(Settings.model_validate({"litellm_api_key": "sk-k"} | settings))
        return serve(**settings), lines

    before = logging.getLogger().handlers[:]
    yield start
    logging.getLogger().handlers[:] = before
    logging.getLogger().setLevel(logging.WARNING)


def requests_in(lines: list[str]) -> list[dict[str, Any]]:
    """Return the request lines of a JSON log; every line must be JSON."""
    return [line for line in map(json.loads, lines) if line["message"] == "request"]


def test_json_log(logged: StartLogged, gateway: FakeGateway) -> None:
    """With JSON_LOGS every line is JSON, one a request, with its id, model, tokens and cost."""
    gateway.will(completion(ITEMS, x_litellm_response_cost="0.5"))
    client, lines = logged(json_logs=True)

    response = client.post("/extract", json={"text": "Geheimtext"})

    (line,) = requests_in(lines(1))
    assert line.pop("duration_ms") >= 0
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "component": "backend-stub",
        "logger": "backend_stub.request",
        "message": "request",
        "method": "POST",
        "path": "/extract",
        "model": "ollama_chat/llama3.2",
        "prompt_tokens": 11,
        "completion_tokens": 7,
        "cost_usd": 0.5,
        "status": 200,
        "request_id": response.headers["x-request-id"],
    }


def test_log_of_a_callers_own_id(logged: StartLogged, gateway: FakeGateway) -> None:
    """A caller's X-Request-ID is logged as well as ours, unless it could harm a log; ours holds."""
    gateway.will(completion(ITEMS), completion(ITEMS))
    client, lines = logged(json_logs=True)

    for given in ("their-7", "their 7\u00e4"):
        headers = {b"x-request-id": given.encode("latin-1")}
        response = client.post("/extract", json={"text": "a"}, headers=headers)
        assert len(response.headers["x-request-id"]) == len(str(uuid.uuid4()))

    written = requests_in(lines(2))
    assert [line.get("caller_request_id") for line in written] == ["their-7", None]
    assert "their-7" not in gateway.call_ids


def test_log_of_a_failure(logged: StartLogged, gateway: FakeGateway) -> None:
    """A failed request is logged with the code that the caller got."""
    gateway.will(error(429, "slow down"))
    client, lines = logged(json_logs=True)

    client.post("/extract", json={"text": "Geheimtext"})

    (line,) = requests_in(lines(1))
    assert (line["status"], line["error"]) == (429, "rate_limited")


def test_log_of_a_broken_stream(logged: StartLogged, gateway: FakeGateway) -> None:
    """So is a stream that breaks off, although its status was sent as 200."""
    gateway.will(Stream(chunk("a"), httpx.RemoteProtocolError("peer closed")).response)
    client, lines = logged(json_logs=True)

    client.post("/explain", json={"item": "a"}, headers={"accept": "text/event-stream"})

    (line,) = requests_in(lines(1))
    assert (line["status"], line["error"]) == (200, "answer_broken")


def test_log_of_a_client_that_left(logged: StartLogged, gateway: FakeGateway) -> None:
    """A client that left is in the log, as a request that nobody got an answer to."""
    gateway.will(HANG)
    client, lines = logged(json_logs=True)

    with pytest.raises(httpx.ReadTimeout):
        client.post("/extract", json={"text": "Geheimtext"}, timeout=0.2)

    assert gateway.cancelled.wait(5)
    client.get("/nothing")  # is logged after it
    assert requests_in(lines(2))[0]["error"] == "client_disconnected"


@pytest.mark.parametrize("json_logs", [True, False])
def test_log_holds_no_secret(
    logged: StartLogged,
    gateway: FakeGateway,
    *,
    json_logs: bool,
) -> None:
    """Even at debug, no line holds a text, an answer, the key or the gateway's words."""
    client, lines = logged(json_logs=json_logs, log_level="debug")
    gateway.will(
        completion(ITEMS),
        error(500, "upstream said Geheimtext"),
        error(401, "bad key sk-the-backends-own-key", "auth_error"),
        completion("no Geheimtext"),
        completion("no Geheimtext"),
    )

    for _ in range(4):
        client.post("/extract", json={"text": "Geheimtext", "x": "Geheimtext"})
        client.post("/extract", json={"text": "Geheimtext"})

    written = "\n".join(lines(8))
    assert "invalid_model_output" in written
    assert "Geheimtext" not in written
    assert "sk-the-backends-own-key" not in written


def test_log_of_a_defect(logged: StartLogged, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of this service is logged with its trace and the id that the caller got."""
    monkeypatch.delattr(prompts, "extraction")
    client, lines = logged(json_logs=True)

    response = client.post("/extract", json={"text": "a"})

    written = [json.loads(line) for line in lines(1)]
    (trace,) = [line for line in written if "exception" in line]
    assert "AttributeError" in trace["exception"]
    assert trace["request_id"] == response.headers["x-request-id"]


def test_plain_log(logged: StartLogged, gateway: FakeGateway) -> None:
    """Without JSON_LOGS a request is one readable line, and health checks are left out."""
    gateway.will(completion(ITEMS))
    client, lines = logged()

    client.get("/health")
    client.post("/extract", json={"text": "a"})

    (line,) = [each for each in lines(1) if "path=" in each]
    assert "method=POST path=/extract" in line
    assert "status=200" in line

"""The way to LiteLLM: what is forwarded, what comes back, and what a caller gets without it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.proxy.forward import Forward, ForwardSettings

PATIENCE = 30.0  # seconds


class Caller:
    """Plays the ASGI server: sends one request, and keeps the answer."""

    def __init__(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self.leave = asyncio.Event()
        self._pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)] or [b""]
        path, _, query = path.partition("?")
        given = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
        if body:
            given.append((b"content-length", str(len(body)).encode()))
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(b"host", b"gateway:4000"), *given],
            "scheme": "http",
        }

    async def receive(self) -> dict[str, Any]:
        """Return the next piece of the body, then the end, when the caller leaves."""
        if self._pieces:
            piece = self._pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self._pieces)}
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {n.decode(): v.decode() for n, v in message["headers"]}
        else:
            self.body += message.get("body", b"")
            self.chunks.put_nowait(message.get("body", b""))

    def json(self) -> Any:
        """Return the answer's body, parsed."""
        return json.loads(self.body)


class LiteLLM:
    """Stands for LiteLLM's proxy: keeps what it was sent."""

    def __init__(self) -> None:
        self.requests: list[tuple[web.BaseRequest, bytes]] = []
        self.release = asyncio.Event()
        self.cut = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer by the path."""
        if request.path == "/v1/messages" and request.query.get("stream"):
            return await self._stream(request)
        self.requests.append((request, await request.read()))
        return web.json_response(
            {"ok": True},
            headers={
                "x-litellm-response-cost": "8e-12",
                "llm_provider-x-litellm-response-cost": "0.25",
                "x-litellm-model-api-base": "http://gateway:4001/v1",
                "llm_provider-date": "today",
                "Keep-Alive": "5",
                "set-cookie": "token=1",
            },
        )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await response.write(b"first")
            await self.release.wait()
            await response.write(b"last")
        except (ConnectionError, asyncio.CancelledError):
            self.cut.set()
            raise
        return response


@asynccontextmanager
async def _reached(**more: Any) -> AsyncIterator[tuple[Forward, LiteLLM]]:
    litellm = LiteLLM()
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", litellm.answer)
    server = TestServer(app)
    await server.start_server()
    settings = ForwardSettings(url=str(server.make_url("/")), **more)
    forward = Forward(settings, lambda _: "203.0.113.7")
    try:
        yield forward, litellm
    finally:
        await forward.close()
        await server.close()


async def _send(forward: Forward, caller: Caller) -> Caller:
    await asyncio.wait_for(forward(caller.scope, caller.receive, caller.send), PATIENCE)
    return caller


async def test_a_request_arrives_as_it_was_sent_but_for_what_only_the_gateway_says() -> None:
    """A request reaches LiteLLM as it was sent, but for headers that only the gateway sets."""
    async with _reached() as (forward, litellm):
        caller = Caller(
            "POST",
            "/key/generate?a=1%2F2",
            b'{"models": ["a"], "api_base": "kept"}',
            authorization="Bearer sk-1",
            content_type="application/json",
            x_forwarded_for="1.2.3.4",
            x_gateway_identity="forged",
            x_litellm_api_base="http://evil",
            connection="close, x-hop",
            x_hop="1",
        )
        await _send(forward, caller)
        assert (caller.status, caller.json()) == (200, {"ok": True})
        request, body = litellm.requests[0]
        assert body == b'{"models": ["a"], "api_base": "kept"}'
        assert request.raw_path == "/key/generate?a=1%2F2"
        assert request.headers["host"] == "gateway:4000"
        assert request.headers["authorization"] == "Bearer sk-1"
        assert request.headers.getall("x-forwarded-for") == ["203.0.113.7"]
        for name in ("x-gateway-identity", "x-litellm-api-base", "x-hop", "user-agent"):
            assert name not in request.headers


async def test_a_call_to_a_model_passes_field_by_field() -> None:
    """A call to a model reaches LiteLLM with its allowed fields alone."""
    async with _reached() as (forward, litellm):
        sent = {"model": "a", "messages": [], "min_p": 0.1, "api_base": "http://evil"}
        await _send(forward, Caller("POST", "/v1/messages", json.dumps(sent).encode()))
        assert json.loads(litellm.requests[0][1]) == {
            "model": "a",
            "messages": [],
            "extra_body": {"min_p": 0.1},
        }


async def test_the_answer_tells_the_gateways_cost_and_nothing_of_the_inside() -> None:
    """LiteLLM's answer shows the gateway's cost and no header about the inside."""
    async with _reached() as (forward, _):
        caller = await _send(forward, Caller("GET", "/key/info"))
        assert caller.headers["x-litellm-response-cost"] == "0.25"
        assert caller.headers["set-cookie"] == "token=1"
        for name in ("x-litellm-model-api-base", "llm_provider-date", "keep-alive", "server"):
            assert name not in caller.headers


async def test_a_stream_passes_as_it_comes() -> None:
    """A stream from LiteLLM reaches the caller as it comes."""
    async with _reached() as (forward, litellm):
        caller = Caller("POST", "/v1/messages?stream=1", b'{"model": "a"}')
        task = asyncio.ensure_future(_send(forward, caller))
        assert await asyncio.wait_for(caller.chunks.get(), PATIENCE) == b"first"
        litellm.release.set()
        await task
        assert caller.body == b"firstlast"


async def test_a_caller_who_leaves_takes_the_call_along() -> None:
    """A caller that leaves a stream ends the call to LiteLLM."""
    async with _reached() as (forward, litellm):
        caller = Caller("POST", "/v1/messages?stream=1", b'{"model": "a"}')
        task = asyncio.ensure_future(_send(forward, caller))
        await asyncio.wait_for(caller.chunks.get(), PATIENCE)
        caller.leave.set()
        await task
        await asyncio.wait_for(litellm.cut.wait(), PATIENCE)


async def test_a_long_upload_is_streamed() -> None:
    """An upload longer than the limit for bodies is streamed to LiteLLM whole."""
    async with _reached(max_body_bytes=10) as (forward, litellm):
        body = b"x" * 200_000
        caller = Caller("POST", "/v1/images/edits", body, content_type="multipart/form-data")
        assert (await _send(forward, caller)).status == 200
        assert litellm.requests[0][1] == body


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"[1]", 400, None),
        (b'{"model": "a", "input": "x", "previous_response_id": "r"}', 400, "previous_response_id"),
        (b'{"model": "' + b"a" * 2000 + b'"}', 413, None),
    ],
)
async def test_a_wrong_body_is_refused_before_litellm_is_asked(
    body: bytes, status: int, param: str | None
) -> None:
    """A wrong or oversized body is refused with the caller's id before LiteLLM is asked."""
    async with _reached(max_body_bytes=1000) as (forward, litellm):
        sent = Caller("POST", "/v1/responses", body, x_litellm_call_id="job-7")
        caller = await _send(forward, sent)
        assert caller.status == status
        assert caller.headers["x-litellm-call-id"] == "job-7"
        assert caller.json()["error"]["param"] == param
        assert litellm.requests == []


async def test_a_route_past_the_gateway_is_refused_with_its_reason() -> None:
    """A route that would lead to a provider past the gateway is refused with that reason."""
    async with _reached() as (forward, litellm):
        caller = await _send(forward, Caller("POST", "/openai/v1/files"))
        assert caller.status == 403
        assert "provider" in caller.json()["error"]["message"]
        assert litellm.requests == []


async def test_where_callers_need_no_key_litellm_gets_the_gateways_own() -> None:
    """Where callers need no key, LiteLLM gets the gateway's own, whatever they sent."""
    async with _reached(key="sk-of-this-start") as (forward, litellm):
        sent = {"authorization": "Bearer anything", "x-api-key": "other"}
        await _send(forward, Caller("GET", "/key/info", b"", **sent))
        got = litellm.requests[0][0].headers
        assert got.getall("authorization") == ["Bearer sk-of-this-start"]
        assert "x-api-key" not in got


async def test_without_litellm_a_caller_is_told_to_come_again() -> None:
    """While LiteLLM cannot be reached, its routes are 503 with a Retry-After."""
    forward = Forward(ForwardSettings("http://127.0.0.1:9"), lambda _: "")
    caller = await _send(forward, Caller("GET", "/key/info"))
    await forward.close()
    assert caller.status == 503
    assert caller.headers["retry-after"] == "5"
    assert caller.json()["error"]["type"] == "service_unavailable"


async def test_the_admin_page_may_load_from_its_own_gateway_alone() -> None:
    """The admin page may load content from its own gateway alone."""
    async with _reached() as (forward, _):
        page = await _send(forward, Caller("GET", "/ui/"))
        assert "default-src 'self'" in page.headers["content-security-policy"]
        api = await _send(forward, Caller("GET", "/key/info"))
        assert "content-security-policy" not in api.headers


async def test_the_latest_release_is_asked_of_nobody() -> None:
    """The admin page's question for the latest release gets null, and nobody is asked."""
    async with _reached() as (forward, litellm):
        caller = await _send(forward, Caller("GET", "/get/latest_release_info"))
        assert (caller.status, caller.body) == (200, b"null")
        assert litellm.requests == []


@pytest.mark.parametrize("path", ["/ui", "/ui/x", "/login", "/v2/login", "/sso/key/generate"])
async def test_a_page_that_is_switched_off_cannot_be_signed_in_to(path: str) -> None:
    """Pages that are switched off, and every way to sign in to them, are 404."""
    async with _reached(pages_off="switched off") as (forward, litellm):
        caller = await _send(forward, Caller("POST", path))
        assert (caller.status, caller.json()["error"]["message"]) == (404, "switched off")
        assert litellm.requests == []


async def test_a_websocket_is_closed() -> None:
    """A websocket to LiteLLM is closed with the code 1008."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    forward = Forward(ForwardSettings("http://127.0.0.1:9"), lambda _: "")
    await forward({"type": "websocket", "path": "/v1/realtime"}, Caller("GET", "/").receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]

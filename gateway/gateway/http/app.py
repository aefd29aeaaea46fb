"""The application on the gateway's port: the table of paths."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gateway.errors import GatewayError, UnavailableError
from gateway.http.asgi import answer_bytes, answer_error, answer_json
from gateway.http.keys import request_id_of, with_id
from gateway.http.paths import MODEL_INFO, MODELS, ONE_MODEL, OPERATIONS, operation_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.http.asgi import App, Headers, Message, Receive, Send
    from gateway.http.deployments import DeploymentPage
    from gateway.http.endpoint import Endpoint
    from gateway.http.health import Health
    from gateway.http.model_list import ModelList

LOG = logging.getLogger(__name__)

_HEALTH = frozenset({"/health", "/health/readiness"})
_LIVENESS = frozenset({"/health/liveliness", "/health/liveness"})
_READING = frozenset({"GET", "HEAD"})
_CORS: Headers = [(b"access-control-allow-origin", b"*"), (b"vary", b"Origin")]
_PREFLIGHT: Headers = [
    *_CORS,
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", b"*"),
    (b"access-control-max-age", b"600"),
]


class GatewayApp:
    """Hands each request to the part that serves its path; unknown paths go to LiteLLM's proxy.

    Args:
        endpoint: answers requests of OpenAI's API.
        model_list: answers GET /models.
        health: answers GET /health.
        deployments: answers GET /gateway/deployments.
        proxy: LiteLLM's proxy; None where it does not run.
        started: awaited before the first request is accepted.
        stopped: awaited when the last request has been answered.
    """

    def __init__(  # noqa: PLR0913 -- one for each kind of path, and for a life's two ends
        self,
        *,
        endpoint: Endpoint,
        model_list: ModelList,
        health: Health,
        deployments: DeploymentPage,
        proxy: App | None,
        started: Callable[[], Awaitable[None]],
        stopped: Callable[[], Awaitable[None]],
    ) -> None:
        self._endpoint = endpoint
        self._model_list = model_list
        self._health = health
        self._deployments = deployments
        self._proxy = proxy
        self._started = started
        self._stopped = stopped

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or forward it to LiteLLM's proxy."""
        if scope["type"] == "http":
            if scope["method"] == "POST":
                operation = OPERATIONS.get(scope["path"])
                if operation is not None:
                    await self._endpoint(scope, receive, _with_cors(scope, send), operation)
                    return
            await self._others(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await self._forward(scope, receive, send)

    async def _others(  # noqa: PLR0911 -- a table, one row a return
        self, scope: Message, receive: Receive, send: Send
    ) -> None:
        method, path = scope["method"], scope["path"]
        if method in _READING:
            if path in _HEALTH and not scope.get("query_string"):
                report = self._health.report()
                await answer_json(send, report.status_code, report.body(), [_NO_STORE])
                return
            if path in _LIVENESS:
                await answer_json(send, 200, "I'm alive!")
                return
            if (path in MODELS or path.startswith(ONE_MODEL)) and not scope.get("query_string"):
                await self._model_list(scope, _with_cors(scope, send))
                return
            if path in MODEL_INFO and not scope.get("query_string"):
                await self._model_list.answer_info(scope, _with_cors(scope, send))
                return
            if path == "/gateway/deployments":
                await self._deployments(scope, send)
                return
        elif method == "POST":
            found = operation_in(path)
            if found is not None:
                operation, model = found
                await self._endpoint(scope, receive, _with_cors(scope, send), operation, model)
                return
        elif method == "OPTIONS" and (path in OPERATIONS or path in MODELS):
            await answer_bytes(send, 200, list(_PREFLIGHT), b"")
            return
        await self._forward(scope, receive, send)

    async def _forward(self, scope: Message, receive: Receive, send: Send) -> None:
        if self._proxy is not None and scope["type"] == "http":
            request_id = request_id_of(dict(scope["headers"]))
            await self._proxy(with_id(scope, request_id), receive, send)
        elif self._proxy is not None:
            await self._proxy(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1001})
        else:
            error: GatewayError = UnavailableError(
                "this path is LiteLLM's proxy's, which does not run here"
            )
            await answer_error(send, error)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._started()
        except Exception as error:
            LOG.exception("the gateway could not start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stopped()
        await send({"type": "lifespan.shutdown.complete"})


_NO_STORE = (b"cache-control", b"no-store")


def _with_cors(scope: Message, send: Send) -> Send:
    """Return a `send` that lets a page of another origin read the answer, as LiteLLM does.

    Any origin may, because there are no cookies: the page has to know a key. See proxy_server.py,
    `origins`.
    """
    if not any(name == b"origin" for name, _ in scope["headers"]):
        return send

    async def send_with_cors(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *_CORS]
        await send(message)

    return send_with_cors

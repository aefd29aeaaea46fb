"""Ollama, by its own API: it keeps models loaded, takes schemas, and refuses what does not fit.

Its OpenAI-compatible API would silently cut a prompt that is longer than the context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gateway.providers.failures import failure_of_answer, refused
from gateway.providers.http_client import CLIENT_REQUEST_ID, provider_headers, read_error
from gateway.providers.ollama_reply import OllamaStream, chat_of, embeddings_of, usage_in
from gateway.providers.ollama_request import PATHS, OllamaEndpoint
from gateway.providers.openai_reply import read_object
from gateway.providers.reply import PlainReply, Provider
from gateway.providers.stream import StreamContext
from gateway.providers.usage import answer_text, count_usage
from gateway.request import Operation
from gateway.routing.failure import AttemptFailedError

if TYPE_CHECKING:
    from gateway.config.deployment import Deployment
    from gateway.providers.http_client import HttpClient
    from gateway.providers.reply import StreamReply, Timeouts
    from gateway.providers.usage import Count
    from gateway.request import Request

OK = 200


class OllamaProvider(Provider):
    """Asks deployments of Protocol.OLLAMA.

    Args:
        http: the connections; closed with the provider.
        count: counts tokens where Ollama leaves out its counts; None for an estimate.
    """

    def __init__(self, http: HttpClient, count: Count | None = None) -> None:
        self._http = http
        self._count = count
        self._endpoints: dict[tuple[str, Operation], OllamaEndpoint] = {}

    async def ask(
        self, deployment: Deployment, request: Request, timeouts: Timeouts
    ) -> PlainReply | StreamReply:
        """Ask a deployment once; see Provider."""
        if request.operation not in PATHS:
            raise refused(f"Ollama has no {request.operation.path}", "model")
        endpoint = self._endpoint(deployment, request.operation)
        try:
            data = orjson.dumps(endpoint.body(request))
        except (AttributeError, KeyError, TypeError) as error:
            raise refused("a field of the request has the wrong type") from error
        headers = {CLIENT_REQUEST_ID: request.id}
        if request.stream:
            asked = StreamContext(deployment, request, timeouts, self._count)
            return await self._stream(endpoint, data, headers, asked)
        response, content = await self._http.fetch(endpoint.target, data, headers, timeouts)
        if response.status != OK:
            raise AttemptFailedError(failure_of_answer(response.status, content, response.headers))
        document = read_object(content)
        is_embedding = request.operation is Operation.EMBEDDING
        answer = (
            embeddings_of(document, deployment.model)
            if is_embedding
            else chat_of(document, deployment.model, request.operation)
        )
        usage = usage_in(document, needs_answer=not is_embedding)
        if usage is None:
            text = answer_text(answer.get("choices") or ())
            usage = await count_usage(self._count, deployment, request, text)
        answer["usage"] = dict(usage.raw)
        return PlainReply(answer, usage, headers=provider_headers(response))

    async def close(self) -> None:
        """Drop all connections."""
        await self._http.close()

    def _endpoint(self, deployment: Deployment, operation: Operation) -> OllamaEndpoint:
        key = (deployment.id, operation)
        endpoint = self._endpoints.get(key)
        if endpoint is None or endpoint.deployment is not deployment:  # new, or configured again
            endpoint = self._endpoints[key] = OllamaEndpoint(deployment, operation)
        return endpoint

    async def _stream(
        self, endpoint: OllamaEndpoint, data: bytes, headers: dict[str, str], asked: StreamContext
    ) -> StreamReply:
        response = await self._http.open(endpoint.target, data, headers, asked.timeouts)
        if response.status != OK:
            content = await read_error(response)
            raise AttemptFailedError(failure_of_answer(response.status, content, response.headers))
        return OllamaStream(response, asked)

"""Servers that speak OpenAI's protocol: asked as they are, in their own words.

https://platform.openai.com/docs/api-reference. What is changed on the way: the name of the model,
the key, what the configuration adds, what drop_params leaves out, and that streams report usage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.providers.failures import failure_of_answer, refused, unreadable
from gateway.providers.http_client import CLIENT_REQUEST_ID, provider_headers, read_error
from gateway.providers.openai_reply import OpenAIStream, normalise_plain, read_object
from gateway.providers.openai_request import Body, OpenAIEndpoint, multipart, wants_usage
from gateway.providers.reply import PlainReply, Provider
from gateway.providers.stream import StreamContext
from gateway.providers.usage import answer_text, count_usage, usage_of
from gateway.request import Operation, Usage
from gateway.routing.failure import AttemptFailedError

if TYPE_CHECKING:
    from gateway.config.deployment import Deployment
    from gateway.providers.http_client import HttpClient
    from gateway.providers.reply import StreamReply, Timeouts
    from gateway.providers.response import Response
    from gateway.providers.usage import Count
    from gateway.request import Request

OK = 200
BAD_REQUEST = 400
WITH_CHOICES = frozenset({Operation.CHAT, Operation.COMPLETION})


class OpenAIProvider(Provider):
    """Asks deployments of Protocol.OPENAI.

    Args:
        http: the connections; closed with the provider.
        count: counts tokens that no provider reports; None for an estimate.
    """

    def __init__(self, http: HttpClient, count: Count | None = None) -> None:
        self._http = http
        self._count = count
        self._endpoints: dict[tuple[str, Operation], OpenAIEndpoint] = {}

    async def ask(
        self, deployment: Deployment, request: Request, timeouts: Timeouts
    ) -> PlainReply | StreamReply:
        """Ask a deployment once; see Provider."""
        endpoint = self._endpoint(deployment, request.operation)
        headers = {CLIENT_REQUEST_ID: request.id}
        try:
            body = endpoint.body(request)
            if request.operation is Operation.TRANSCRIPTION:
                data, headers["Content-Type"] = multipart(body, request.files)
            else:
                data = endpoint.encode(body)
        except (AttributeError, KeyError, TypeError) as error:
            raise refused("a field of the request has the wrong type") from error
        if request.stream:
            asked = StreamContext(deployment, request, timeouts, self._count)
            return await self._stream(endpoint, body, data, headers, asked)
        response, content = await self._http.fetch(endpoint.target, data, headers, timeouts)
        if response.status != OK:
            raise AttemptFailedError(failure_of_answer(response.status, content, response.headers))
        return await self._plain(deployment, request, response, content)

    async def close(self) -> None:
        """Drop all connections."""
        await self._http.close()

    def _endpoint(self, deployment: Deployment, operation: Operation) -> OpenAIEndpoint:
        key = (deployment.id, operation)
        endpoint = self._endpoints.get(key)
        if endpoint is None or endpoint.deployment is not deployment:  # new, or configured again
            endpoint = self._endpoints[key] = OpenAIEndpoint(deployment, operation)
        return endpoint

    async def _plain(
        self,
        deployment: Deployment,
        request: Request,
        response: Response,
        content: bytes,
    ) -> PlainReply:
        headers = provider_headers(response)
        operation = request.operation
        kind = response.headers.get("content-type", "")
        if operation is Operation.SPEECH or (
            operation is Operation.TRANSCRIPTION and "json" not in kind
        ):
            return PlainReply(None, Usage(), content, kind, headers)
        document = read_object(content)
        usage = usage_of(document.get("usage"))
        if operation in WITH_CHOICES:
            normalise_plain(document, operation, deployment.model)
        elif operation is Operation.EMBEDDING and usage is not None:
            document["usage"].setdefault("completion_tokens", 0)  # as LiteLLM
        if usage is None:
            usage = await self._counted(deployment, request, document)
        return PlainReply(document, usage, headers=headers)

    async def _counted(
        self, deployment: Deployment, request: Request, document: dict[str, Any]
    ) -> Usage:
        """Return the usage of an answer without one, and put it there where it belongs."""
        if request.operation not in WITH_CHOICES and request.operation is not Operation.EMBEDDING:
            return Usage()
        text = answer_text(document.get("choices") or ())
        usage = await count_usage(self._count, deployment, request, text)
        document["usage"] = dict(usage.raw)
        return usage

    async def _stream(
        self,
        endpoint: OpenAIEndpoint,
        body: Body,
        data: bytes,
        headers: dict[str, str],
        asked: StreamContext,
    ) -> StreamReply:
        headers["Accept"] = "text/event-stream"
        response = await self._http.open(endpoint.target, data, headers, asked.timeouts)
        if response.status == BAD_REQUEST and "stream_options" in body:
            content = await read_error(response)
            if b"stream_options" not in content:
                raise AttemptFailedError(failure_of_answer(BAD_REQUEST, content, response.headers))
            del body["stream_options"]
            data = endpoint.encode(body)
            response = await self._http.open(endpoint.target, data, headers, asked.timeouts)
            if response.status == OK and not wants_usage(asked.request.body):
                endpoint.reports_usage = False
        if response.status != OK:
            content = await read_error(response)
            raise AttemptFailedError(failure_of_answer(response.status, content, response.headers))
        if response.content_type == "application/json":  # an error, or no stream at all
            read_object(await read_error(response))
            raise unreadable()
        return OpenAIStream(response, asked)

"""The provider behind EXTRACTION_PROVIDER=litellm and EXPLANATION_PROVIDER=litellm."""

import asyncio
import secrets
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import stamina
from openai import APIConnectionError, AsyncOpenAI, omit
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import ValidationError

from backend_stub import failures, prompts
from backend_stub.gateway_models import models_of
from backend_stub.route import route_of
from backend_stub.schemas import (
    Delta,
    Done,
    ExplainRequest,
    ExplainResponse,
    ExtractRequest,
    ExtractResponse,
    Item,
    ModelItems,
    ModelName,
    Route,
    Usage,
)
from backend_stub.settings import Settings

if TYPE_CHECKING:
    from openai import AsyncStream
    from openai.types.chat import ChatCompletionMessageParam
    from openai.types.shared_params import ResponseFormatJSONSchema

CALL_ID = "x-litellm-call-id"
"""LiteLLM takes a call's id from this header (proxy/common_request_processing.py,
resolve_litellm_call_id) and stores it as LiteLLM_SpendLogs.litellm_call_id. So this service names
the call itself: the id is known even if the gateway never answers."""

_REPAIR = "-repair"
"""Ends the id of the call that repairs an answer."""

_LIST_SECONDS = 5
"""To list models asks no model."""


def _never_sent(error: Exception) -> bool:
    return isinstance(error, APIConnectionError) and isinstance(
        error.__cause__, (httpx.ConnectError, httpx.ConnectTimeout)
    )


_retry_connecting = stamina.retry(
    on=_never_sent, attempts=3, timeout=5, wait_initial=0.1, wait_max=0.5, wait_jitter=0.1
)
"""Bridges the moment in which a gateway is replaced; a gateway that is down costs half a second."""


@dataclass(frozen=True)
class _Completion:
    """A whole answer of a model."""

    text: str
    model: str
    usage: Usage
    truncated: bool
    route: Route | None


class LiteLLMProvider:
    """Talks to the gateway over OpenAI's API, with a virtual key.

    Retries only a connection that was never made: no request was sent, so none is paid twice.
    Everything else the gateway retries and falls back itself (router_settings.num_retries).
    """

    def __init__(self, settings: Settings, http_client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = AsyncOpenAI(
            base_url=f"{settings.gateway_url}/v1",
            api_key=settings.litellm_api_key.get_secret_value(),
            max_retries=0,
            timeout=httpx.Timeout(settings.litellm_timeout, connect=3),
            http_client=http_client,
        )

    async def models(self) -> list[ModelName]:
        """Return the names that this service's key may ask for.

        Raises:
            ServiceError: with the status that the caller is to see.
        """
        try:
            return await models_of(self._client.with_options(timeout=_LIST_SECONDS))
        except Exception as error:
            raise failures.from_exception(error) from error

    async def extract(self, request: ExtractRequest, request_id: str) -> ExtractResponse:
        """Return the learning items; an invalid answer gets one chance to be repaired.

        Raises:
            ServiceError: with the status that the caller is to see.
        """
        async with _deadline(self._settings.litellm_timeout):
            model = request.model or self._settings.litellm_extraction_model
            conversation = prompts.extraction(request.text)
            answer = await self._ask_for_items(model, conversation, request_id)
            usage = answer.usage
            try:
                items = _items(answer)
            except ValidationError as error:
                problems = prompts.problems_of(error)
                conversation = prompts.repair(conversation, answer.text, problems)
                answer = await self._ask_for_items(model, conversation, f"{request_id}{_REPAIR}")
                usage += answer.usage
                try:
                    items = _items(answer)
                except ValidationError as second:
                    raise failures.invalid_output(prompts.problems_of(second)) from None
        return ExtractResponse(
            items=items,
            model=answer.model,
            usage=usage,
            request_id=request_id,
            route=answer.route,
        )

    async def explain(self, request: ExplainRequest, request_id: str) -> ExplainResponse:
        """Return the whole explanation.

        Raises:
            ServiceError: with the status that the caller is to see.
        """
        async with _deadline(self._settings.litellm_timeout):
            answer = await self._complete(
                model=request.model or self._settings.litellm_explanation_model,
                conversation=prompts.explanation(request.item, request.context),
                max_tokens=prompts.EXPLANATION_MAX_TOKENS,
                call_id=request_id,
            )
        return ExplainResponse(
            explanation=answer.text,
            model=answer.model,
            usage=answer.usage,
            request_id=request_id,
            truncated=answer.truncated,
            route=answer.route,
        )

    async def explain_stream(
        self, request: ExplainRequest, request_id: str
    ) -> AsyncGenerator[Delta | Done]:
        """Yield the explanation piece by piece, then one Done.

        Raises:
            ServiceError: at any step, also when the stream ends without the model having finished.
        """
        usage, finish_reason = Usage(cost_usd=None), None
        try:
            stream, headers = await self._open_stream(request, request_id)
            model = headers.get("x-litellm-model-name", "")
            async with stream:
                async for chunk in stream:
                    model = model or chunk.model
                    if chunk.usage:
                        usage = _streamed_usage(chunk.usage)
                    for choice in chunk.choices or ():
                        finish_reason = choice.finish_reason or finish_reason
                        if choice.delta.content:
                            yield Delta(text=choice.delta.content)
        except Exception as error:
            raise failures.from_exception(error) from error
        if finish_reason is None:
            raise failures.broken_answer("the answer ended before the model had finished")
        yield Done(
            model=model,
            usage=usage,
            request_id=request_id,
            truncated=finish_reason == "length",
            route=route_of(headers),
        )

    async def _ask_for_items(
        self, model: str, conversation: "list[ChatCompletionMessageParam]", call_id: str
    ) -> _Completion:
        return await self._complete(
            model=model,
            conversation=conversation,
            max_tokens=prompts.EXTRACTION_MAX_TOKENS,
            response_format=prompts.EXTRACTION_FORMAT,
            call_id=call_id,
        )

    async def _complete(
        self,
        *,
        model: str,
        conversation: "list[ChatCompletionMessageParam]",
        max_tokens: int,
        call_id: str,
        response_format: "ResponseFormatJSONSchema | None" = None,
    ) -> _Completion:
        @_retry_connecting
        async def send() -> tuple[ChatCompletion, Mapping[str, str]]:
            raw = await self._client.chat.completions.with_raw_response.create(
                model=model,
                messages=conversation,
                max_tokens=max_tokens,
                temperature=0,
                response_format=response_format or omit,
                extra_headers=_headers(call_id),
            )
            return raw.parse(), raw.headers

        try:
            completion, headers = await send()
        except Exception as error:
            raise failures.from_exception(error) from error
        # The client does not check what it parsed: a proxy's HTML page would come through as text.
        if not isinstance(completion, ChatCompletion) or not completion.choices:
            raise failures.broken_answer("the gateway's answer is not a chat completion")
        choice = completion.choices[0]
        return _Completion(
            text=choice.message.content or "",
            model=headers.get("x-litellm-model-name") or completion.model,
            usage=_usage(completion.usage, headers),
            truncated=choice.finish_reason == "length",
            route=route_of(headers),
        )

    async def _open_stream(
        self, request: ExplainRequest, call_id: str
    ) -> "tuple[AsyncStream[ChatCompletionChunk], Mapping[str, str]]":
        """Return the stream and its response headers, which name the deployment."""

        @_retry_connecting
        async def send() -> "tuple[AsyncStream[ChatCompletionChunk], Mapping[str, str]]":
            raw = await self._client.chat.completions.with_raw_response.create(
                model=request.model or self._settings.litellm_explanation_model,
                messages=prompts.explanation(request.item, request.context),
                max_tokens=prompts.EXPLANATION_MAX_TOKENS,
                temperature=0,
                stream=True,
                stream_options={"include_usage": True},
                extra_headers=_headers(call_id),
            )
            return raw.parse(), raw.headers

        return await send()


@asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    """End what runs inside after a time, so that no caller waits longer, repair included.

    Raises:
        ServiceError: the time is over; what was running is cancelled.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise failures.from_exception(error) from error


def _headers(call_id: str) -> dict[str, str]:
    """Return what names the call to the gateway, and its trace to whoever collects them.

    The trace's id is the request's without its hyphens, so that one is found by the other, and a
    repair is in the same trace: https://www.w3.org/TR/trace-context/#traceparent-header.
    """
    trace = uuid.UUID(call_id.removesuffix(_REPAIR)).hex
    return {CALL_ID: call_id, "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}


def _items(answer: _Completion) -> list[Item]:
    """Return the items of a model's answer.

    Raises:
        ValidationError: the answer breaks the schema.
    """
    return ModelItems.model_validate_json(_without_fence(answer.text)).items


def _without_fence(text: str) -> str:
    """Return the JSON inside a Markdown code block: providers without schemas like to send one."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```"):
        text = text.removeprefix("```").removeprefix("json").removesuffix("```")
    return text


def _usage(usage: CompletionUsage | None, headers: Mapping[str, str]) -> Usage:
    """Return the tokens of a whole answer, and its cost from x-gateway-cost.

    A plain LiteLLM has x-litellm-response-cost, which it leaves out when the cost is 0 and when the
    model has no price alike: then it is unknown.
    """
    cost = headers.get("x-gateway-cost") or headers.get("x-litellm-response-cost")
    return Usage(
        prompt_tokens=usage.prompt_tokens if usage else 0,
        completion_tokens=usage.completion_tokens if usage else 0,
        cost_usd=float(cost) if cost else None,
    )


def _streamed_usage(usage: CompletionUsage) -> Usage:
    """Return the usage that ends a stream.

    The cost of a stream is known after its headers are gone; the gateway adds it here as `cost`, 0
    for a model that costs nothing. A plain LiteLLM does not, and it stays unknown.
    """
    cost = (usage.model_extra or {}).get("cost")
    return Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cost_usd=float(cost) if isinstance(cost, int | float) else None,
    )

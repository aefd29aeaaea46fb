"""One attempt of the router: a stream up to its first token, an answer in the requested schema.

Wraps `Router._acompletion`, which the router calls once for each attempt, whether first, retry or
fallback (see version_guard.py for why there is no hook for it). What it raises, the router treats
like any provider's error.
"""

from __future__ import annotations

import functools
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.failover.failure import failure_of
from gateway.failover.record import current_record
from gateway.failover.schema_check import repair_messages, requested_schema, violation
from gateway.failover.stream_guard import GuardedStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.failover.record import Attempt, RequestRecord
    from gateway.failover.registry import Registry
    from gateway.failover.schema_check import Message, Schema
    from gateway.failover.settings import FailoverSettings

    Parameters = dict[str, Any]


@dataclass
class Answer:
    """What one call to a deployment gave.

    Attributes:
        response: LiteLLM's, to be handed on.
        text: its content; None when it called a tool or refused, which no schema holds for.
        stream: the guard of a stream, None of a plain answer.
        deployment: LiteLLM's id of who answered.
    """

    response: Any
    text: str | None
    stream: GuardedStream | None
    deployment: str | None


class AttemptRunner:
    """Makes the router's attempts.

    Args:
        router: LiteLLM's.
        registry: is told of failures that LiteLLM reports to nobody.
        settings: of failover.
    """

    def __init__(self, router: Any, registry: Registry, settings: FailoverSettings) -> None:  # noqa: ANN401 -- LiteLLM is not typed
        self._router = router
        self._registry = registry
        self._settings = settings
        self._call: Callable[..., Awaitable[Any]] = router._acompletion  # noqa: SLF001 -- see above

    def wrapped(self) -> Callable[..., Awaitable[Any]]:
        """Returns what takes the place of `router._acompletion`; LiteLLM looks at its name."""

        @functools.wraps(self._call)
        async def _acompletion(
            model: str,
            messages: list[Message],
            **parameters: Any,  # noqa: ANN401 -- the request's
        ) -> Any:  # noqa: ANN401 -- a response or a stream
            return await self._attempt(model, messages, parameters)

        return _acompletion

    async def _attempt(self, model: str, messages: list[Message], parameters: Parameters) -> Any:  # noqa: ANN401 -- as above
        schema = (
            requested_schema(parameters.get("response_format"))
            if self._settings.schema_repair
            else None
        )
        answer = await self._ask(model, messages, parameters, to_the_end=schema is not None)
        if schema is None:
            return answer.response
        return await self._in_schema(schema, answer, model, messages, parameters)

    async def _in_schema(
        self,
        schema: Schema,
        answer: Answer,
        model: str,
        messages: list[Message],
        parameters: Parameters,
    ) -> Any:  # noqa: ANN401 -- as above
        """Returns an answer in the schema: this one, its repair, or another deployment's.

        Raises:
            UnprocessableEntityError: no deployment of this alias gave one. The router does not
                retry it, but falls back.
        """
        tried = {answer.deployment}
        while True:
            broken = await self._refused(schema, answer)
            if broken is None:
                return answer.response
            if answer.deployment is not None:
                again = repair_messages(messages, answer.text, broken)
                answer = await self._ask(answer.deployment, again, parameters, to_the_end=True)
                broken = await self._refused(schema, answer)
                if broken is None:
                    return answer.response
            others = self._untried(model, tried)
            if not others:
                raise self._schema_error(model, broken)
            tried.add(others[0])
            answer = await self._ask(others[0], messages, parameters, to_the_end=True)

    async def _refused(self, schema: Schema, answer: Answer) -> str | None:
        """Returns how an answer breaks the schema, and takes note of it."""
        if answer.text is None:
            return None
        broken = violation(schema, answer.text)
        attempt = _last_attempt()
        if broken is not None and attempt is not None:
            attempt.broken_schema = True
            attempt.cost = _cost(answer.response)
        return broken

    async def _ask(
        self, model: str, messages: list[Message], parameters: Parameters, *, to_the_end: bool
    ) -> Answer:
        """Makes one call; a stream is open up to its first token, or read to its end."""
        parameters = _for_one_call(parameters, current_record())
        response = await self._call(model, messages, **parameters)
        deployment = _deployment_of(response)
        if not hasattr(response, "_async_generator"):
            _mark_as_billed()
            return Answer(response, _text(response), None, deployment)
        attempt = _last_attempt()

        def failed(error: Exception) -> None:
            self._stream_failed(error, deployment, attempt)

        stream = GuardedStream(response, failed, lambda: self._registry.succeeded(deployment))
        try:
            await stream.open(to_the_end=to_the_end)
        except Exception as error:
            failed(error)
            raise self._as_provider_error(error, model) from error
        if to_the_end:
            _mark_as_billed()
        return Answer(response, stream.text() or None, stream, deployment)

    def _stream_failed(
        self, error: Exception, deployment: str | None, attempt: Attempt | None
    ) -> None:
        failure = failure_of(error)
        if attempt is not None:
            attempt.failure = failure
        record = current_record()
        if record is not None:
            record.last_error = error
        self._registry.failed(deployment, failure, attempt.started if attempt else 0)

    def _untried(self, alias: str, tried: set[str | None]) -> list[str]:
        members = self._registry.of_alias(alias)
        names = [member.target.deployment for member in members if member.state.is_up]
        return [name for name in names if name not in tried]

    @staticmethod
    def _as_provider_error(error: Exception, model: str) -> Exception:
        """The router retries and falls back for OpenAI's classes only."""
        from litellm.exceptions import BadGatewayError  # noqa: PLC0415 -- LiteLLM is imported late
        from openai import OpenAIError  # noqa: PLC0415 -- as above

        if isinstance(error, OpenAIError):
            return error
        mapped: Exception = BadGatewayError(message=str(error), llm_provider="", model=model)
        return mapped

    @staticmethod
    def _schema_error(model: str, broken: str) -> Exception:
        import httpx  # noqa: PLC0415 -- LiteLLM has imported it by now
        from litellm.exceptions import UnprocessableEntityError  # noqa: PLC0415 -- as above

        request = httpx.Request("POST", "http://gateway")
        error: Exception = UnprocessableEntityError(
            message=f"{model} did not answer in the requested JSON schema: {broken}",
            model=model,
            llm_provider="",
            response=httpx.Response(422, request=request),
        )
        return error


def _for_one_call(parameters: Parameters, record: RequestRecord | None) -> Parameters:
    """Returns the parameters for a single call.

    LiteLLM writes one cost for a logging object (Logging.claim_async_success_log); a call after
    one that was billed gets its own, so that every answer is paid from the key's budget. And a
    stream that breaks is ours to fall back from.
    """
    from litellm.router_utils.fallback_event_handlers import (  # noqa: PLC0415 -- as above
        MID_STREAM_FALLBACK_CONTROLS_KEY,
        MidStreamFallbackControls,
    )

    parameters = dict(parameters)
    if record is not None and record.answer_was_billed:
        parameters.pop("litellm_logging_obj", None)
        parameters["litellm_call_id"] = str(uuid.uuid4())
    if parameters.get("stream"):
        controls = parameters.get(MID_STREAM_FALLBACK_CONTROLS_KEY)
        overrides = dict(controls.overrides) if controls is not None else {}
        parameters[MID_STREAM_FALLBACK_CONTROLS_KEY] = MidStreamFallbackControls(
            overrides | {"disable_fallbacks": True}
        )
    return parameters


def _mark_as_billed() -> None:
    record = current_record()
    if record is not None:
        record.answer_was_billed = True


def _last_attempt() -> Attempt | None:
    record = current_record()
    return record.last if record is not None else None


def _deployment_of(response: Any) -> str | None:  # noqa: ANN401 -- as above
    hidden = getattr(response, "_hidden_params", None) or {}
    return hidden.get("model_id")


def _cost(response: Any) -> float:  # noqa: ANN401 -- as above
    hidden = getattr(response, "_hidden_params", None) or {}
    return float(hidden.get("response_cost") or 0)


def _text(response: Any) -> str | None:  # noqa: ANN401 -- as above
    """Returns the content of a plain answer; None when it called a tool or refused."""
    message = response.choices[0].message
    if message.tool_calls or getattr(message, "refusal", None):
        return None
    return message.content or ""

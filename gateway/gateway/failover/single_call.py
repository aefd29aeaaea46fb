"""One call to one deployment; a stream is opened up to its first token."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.failover.failure import failure_of
from gateway.failover.record import current_record
from gateway.failover.stream_guard import GuardedStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.failover.record import Attempt, RequestRecord
    from gateway.failover.registry import Registry
    from gateway.failover.schema_check import Message

    Parameters = dict[str, Any]
    RouterCall = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Answer:
    """What one call to a deployment gave.

    Attributes:
        response: LiteLLM's, to be handed on; a stream is held back as far as it was read.
        text: its content as far as it was read; None when it called a tool or refused.
        deployment: LiteLLM's id of who answered.
    """

    response: Any
    text: str | None
    deployment: str | None


class SingleCall:
    """Calls deployments.

    Args:
        call: `Router._acompletion` as it was.
        registry: is told how streams end, which LiteLLM reports to no hook.
    """

    def __init__(self, call: RouterCall, registry: Registry) -> None:
        self._call = call
        self._registry = registry

    async def __call__(
        self, model: str, messages: list[Message], parameters: Parameters, *, to_the_end: bool
    ) -> Answer:
        """Returns the answer of a deployment.

        Args:
            model: an alias, or the id of a deployment.
            messages: the conversation.
            parameters: the rest of the request.
            to_the_end: whether a stream is read to its end before it is handed on.

        Raises:
            OpenAIError: the deployment failed; the router retries it, or falls back.
        """
        record = current_record()
        begun = len(record.attempts) if record is not None else 0
        try:
            response = await self._call(model, messages, **_for_one_call(parameters, record))
        except Exception as error:
            self._note_unnoticed(error, begun)
            raise
        hidden = getattr(response, "_hidden_params", None) or {}
        deployment = hidden.get("model_id")
        if hasattr(response, "_async_generator"):
            stream = await self._opened(response, deployment, model, to_the_end=to_the_end)
            answer = Answer(response, stream.text(), deployment)
        else:
            answer = Answer(response, _text(response), deployment)
        if record is not None:
            record.answer_was_billed = True
        return answer

    async def _opened(
        self,
        response: Any,  # noqa: ANN401 -- LiteLLM is not typed
        deployment: str | None,
        model: str,
        *,
        to_the_end: bool,
    ) -> GuardedStream:
        record = current_record()
        attempt = record.last if record is not None else None

        def failed(error: Exception) -> None:
            self._note_broken_stream(error, deployment, attempt)

        stream = GuardedStream(response, failed, lambda: self._registry.succeeded(deployment))
        try:
            await stream.open(to_the_end=to_the_end)
        except Exception as error:
            failed(error)
            raise _as_provider_error(error, model) from error
        return stream

    def _note_unnoticed(self, error: Exception, begun: int) -> None:
        """Takes note of a failure that LiteLLM told to no hook.

        Its router opens some streams (Gemini's) only after its hooks for the call have run:
        `Router._acompletion`, `fetch_stream`.
        """
        record = current_record()
        if record is None or len(record.attempts) == begun:
            return
        attempt = record.attempts[-1]
        if attempt.failure is None:
            self._note_broken_stream(error, attempt.deployment, attempt)

    def _note_broken_stream(
        self, error: Exception, deployment: str | None, attempt: Attempt | None
    ) -> None:
        failure = failure_of(error)
        if attempt is not None:
            attempt.failed(failure)
        record = current_record()
        if record is not None:
            record.last_error = error
        self._registry.failed(deployment, failure, attempt.started if attempt else 0)


def _for_one_call(parameters: Parameters, record: RequestRecord | None) -> Parameters:
    """Returns the parameters for a single call.

    LiteLLM writes one cost for a logging object (Logging.claim_async_success_log); a call after
    one that was billed gets its own, so that every answer is paid from the key's budget. Its id
    begins with the request's, so that its row is found by that. And a stream that breaks is ours to
    fall back from.
    """
    from litellm.router_utils.fallback_event_handlers import (  # noqa: PLC0415 -- LiteLLM comes late
        MID_STREAM_FALLBACK_CONTROLS_KEY,
        MidStreamFallbackControls,
    )

    parameters = dict(parameters)
    if record is not None and record.answer_was_billed:
        parameters.pop("litellm_logging_obj", None)
        parameters["litellm_call_id"] = (
            f"{record.request_id or uuid.uuid4()}-{len(record.attempts) + 1}"
        )
    if parameters.get("stream"):
        controls = parameters.get(MID_STREAM_FALLBACK_CONTROLS_KEY)
        overrides = dict(controls.overrides) if controls is not None else {}
        parameters[MID_STREAM_FALLBACK_CONTROLS_KEY] = MidStreamFallbackControls(
            overrides | {"disable_fallbacks": True}
        )
    return parameters


def _as_provider_error(error: Exception, model: str) -> Exception:
    """The router retries and falls back for OpenAI's classes only."""
    from litellm.exceptions import BadGatewayError  # noqa: PLC0415 -- as above
    from openai import OpenAIError  # noqa: PLC0415 -- as above

    if isinstance(error, OpenAIError):
        return error
    mapped: Exception = BadGatewayError(message=str(error), llm_provider="", model=model)
    return mapped


def _text(response: Any) -> str | None:  # noqa: ANN401 -- as above
    """Returns the content of a plain answer; None when it called a tool or refused."""
    message = response.choices[0].message
    if message.tool_calls or getattr(message, "refusal", None):
        return None
    return message.content or ""

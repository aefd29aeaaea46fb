"""Tokens of an answer whose provider sent no usage: counted, and marked as counted.

LiteLLM counts those of a stream itself, and books 0 for a plain answer. Imports LiteLLM.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import litellm
from litellm.integrations.custom_logger import CustomLogger

from gateway.journal.record import COUNTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class UsageCounter(CustomLogger):  # type: ignore[misc] # LiteLLM is not typed
    """Fills in the usage of plain answers and embeddings, before LiteLLM works out their cost."""

    async def async_post_call_success_deployment_hook(
        self,
        request_data: dict[str, Any],
        response: Any,  # noqa: ANN401 -- LiteLLM is not typed
        call_type: object,
    ) -> Any:  # noqa: ANN401 -- LiteLLM is not typed
        """Returns the answer with its usage; None when there is nothing to add."""
        del call_type
        usage: Any = getattr(response, "usage", None)
        if not hasattr(usage, "prompt_tokens") or usage.prompt_tokens or usage.completion_tokens:
            return None
        model = str(request_data.get("model"))
        if isinstance(response, litellm.EmbeddingResponse):
            prompt = _count(model, text=request_data.get("input") or "")
            response.usage = litellm.Usage(prompt_tokens=prompt, total_tokens=prompt)
        elif isinstance(response, litellm.ModelResponse):
            prompt = _count(model, messages=request_data.get("messages") or [])
            answer = _count(model, text=[part for part in _said(response) if part])
            response.usage = litellm.Usage(
                prompt_tokens=prompt, completion_tokens=answer, total_tokens=prompt + answer
            )
        else:
            return None
        _mark(request_data.get("litellm_logging_obj"))
        return response


def mark_counted_streams() -> None:
    """Marks streams whose usage LiteLLM has to count; to be called once."""
    litellm.stream_chunk_builder = _marking(litellm.stream_chunk_builder)


def _marking(build: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(build)
    def marked(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- handed on
        chunks = kwargs.get("chunks") or (args[0] if args else ())
        if not any(_has_usage(chunk) for chunk in chunks):
            _mark(kwargs.get("logging_obj"))
        return build(*args, **kwargs)

    return marked


def _has_usage(chunk: Any) -> bool:  # noqa: ANN401 -- LiteLLM is not typed
    usage = chunk.get("usage") if isinstance(chunk, dict) else getattr(chunk, "usage", None)
    return bool(usage)


def _mark(logging: Any) -> None:  # noqa: ANN401 -- as above
    if logging is not None:
        logging.model_call_details[COUNTED] = True


def _said(response: Any) -> Iterable[str]:  # noqa: ANN401 -- as above
    """Yields everything in an answer that costs tokens of output."""
    for choice in response.choices:
        yield choice.message.content or ""
        yield getattr(choice.message, "reasoning_content", None) or ""
        for call in choice.message.tool_calls or ():
            yield f"{call.function.name} {call.function.arguments}"


def _count(model: str, **what: Any) -> int:  # noqa: ANN401 -- messages or text
    counted: int = litellm.token_counter(model=model, **what)
    return counted

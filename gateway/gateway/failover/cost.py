"""What an answer cost, before LiteLLM has written it down."""

from __future__ import annotations

from typing import Any


def cost_of(response: Any) -> float:  # noqa: ANN401 -- LiteLLM is not typed
    """Returns the cost of a plain answer, or of a stream read to its end, in USD."""
    if hasattr(response, "chunks"):
        return _cost_of_stream(response)
    hidden = getattr(response, "_hidden_params", None) or {}
    return float(hidden.get("response_cost") or 0)


def with_cost(chunk: Any, stream: Any) -> Any:  # noqa: ANN401 -- as above
    """Returns a chunk of a stream; one with the usage also says what the answer cost, in USD.

    A plain answer has a header for it, and a stream's headers are gone by then. The field is
    OpenRouter's (`usage.cost`); LiteLLM's include_cost_in_streaming_usage writes it for other
    endpoints, not for chats. Without a price it stays away; 0 is a price.
    """
    usage = getattr(chunk, "usage", None)
    if usage is None:
        return chunk
    cost = _price_of(usage, stream)
    if cost is None:
        return chunk
    # A copy, because LiteLLM takes the cost in its own chunk for the provider's bill.
    return chunk.model_copy(update={"usage": usage.model_copy(update={"cost": cost})})


def _price_of(usage: Any, stream: Any) -> float | None:  # noqa: ANN401 -- as above
    """As ProxyBaseLLMRequestProcessing._streamed_usage_cost: by the deployment's own prices."""
    from litellm import ModelResponse  # noqa: PLC0415 -- LiteLLM is imported late

    log = getattr(stream, "logging_obj", None)
    if log is None:
        return None
    whole = ModelResponse(usage=usage)
    whole.model = stream.model
    try:
        cost = log.response_cost_calculator(result=whole)
    except Exception:  # noqa: BLE001 -- whatever it is, the answer is worth more than its price
        return None
    return None if cost is None else float(cost)


def _cost_of_stream(stream: Any) -> float:  # noqa: ANN401 -- as above
    """As LiteLLM does for a stream that breaks (CustomStreamWrapper)."""
    from litellm import stream_chunk_builder  # noqa: PLC0415 -- LiteLLM is imported late

    log = stream.logging_obj
    whole = stream_chunk_builder(chunks=list(stream.chunks), logging_obj=log)
    if whole is None:
        return 0
    whole.model = stream.model
    return float(log.response_cost_calculator(result=whole) or 0)

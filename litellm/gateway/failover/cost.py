"""What an answer cost, before LiteLLM has written it down."""

from __future__ import annotations

from typing import Any


def cost_of(response: Any) -> float:  # noqa: ANN401 -- LiteLLM is not typed
    """Returns the cost of a plain answer, or of a stream read to its end, in USD."""
    if hasattr(response, "chunks"):
        return _cost_of_stream(response)
    hidden = getattr(response, "_hidden_params", None) or {}
    return float(hidden.get("response_cost") or 0)


def _cost_of_stream(stream: Any) -> float:  # noqa: ANN401 -- as above
    """As LiteLLM does for a stream that breaks (CustomStreamWrapper)."""
    from litellm import stream_chunk_builder  # noqa: PLC0415 -- LiteLLM is imported late

    log = stream.logging_obj
    whole = stream_chunk_builder(chunks=list(stream.chunks), logging_obj=log)
    if whole is None:
        return 0
    whole.model = stream.model
    return float(log.response_cost_calculator(result=whole) or 0)

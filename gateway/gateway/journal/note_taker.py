"""Makes the note of a call from what LiteLLM knows when its accounting begins. Imports LiteLLM."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from litellm.litellm_core_utils.core_helpers import get_litellm_metadata_from_kwargs
from litellm.litellm_core_utils.internal_call_metadata import MODEL_ACCESS_GROUP_METADATA_KEY
from litellm.litellm_core_utils.litellm_logging import StandardLoggingPayloadSetup as _Setup
from litellm.proxy import proxy_server
from litellm.proxy._types import SpendLogsMetadata
from litellm.proxy.spend_tracking.spend_tracking_utils import (
    get_request_model_access_groups,
    get_spend_logs_id,
)
from litellm.proxy.utils import ProxyUpdateSpend
from litellm.types.utils import EmbeddingResponse, ModelResponse, TextCompletionResponse

from gateway.journal.note import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Facts = Callable[[Mapping[str, Any]], dict[str, Any]]

_NOTED_CALLS = ("acompletion", "aembedding", "atext_completion")
"""What LiteLLM calls the kinds of call whose cost is known before they are accounted for."""

_DETAILS = ("call_type", "custom_llm_provider", "litellm_call_id", "model")

_METADATA = frozenset(SpendLogsMetadata.__annotations__) | {
    "agent_id",
    "deployment",
    "model_group",
    "session_id",
    "tags",
    "user_api_key_end_user_id",
    "user_api_key_hash",
}


def take_note(
    logging: Any,  # noqa: ANN401 -- LiteLLM is not typed
    response: object,
    started: datetime | None,
    ended: datetime | None,
    facts: Facts,
) -> Note | None:
    """Returns the note of a call; None when it is one that only LiteLLM's accounting knows all of.

    Args:
        logging: LiteLLM's object for the call.
        response: the whole answer.
        started: when the call began; None means what `logging` says.
        ended: when it ended; None means now.
        facts: returns what the gateway adds to a row's metadata, from LiteLLM's call details.
    """
    call = logging.model_call_details
    if not isinstance(response, (ModelResponse, EmbeddingResponse, TextCompletionResponse)):
        return None
    usage: Any = getattr(response, "usage", None)
    metadata = get_litellm_metadata_from_kwargs(call)
    if usage is None or call.get("call_type") not in _NOTED_CALLS or call.get("cache_hit"):
        return None
    if metadata.get("user_api_key") is None or not _writes_rows():
        return None
    cost = logging.response_cost_calculator(result=response)
    if cost is None:  # a row of an unpriced answer is UnpricedLogger's
        return None
    answered = {"id": getattr(response, "id", None), "usage": usage.model_dump(exclude_none=True)}
    return Note(
        request_id=str(get_spend_logs_id(call["call_type"], answered, call)),
        call=_call(logging, call, metadata),
        response=answered,
        started=(started or logging.start_time).isoformat(),
        ended=(ended or datetime.now()).isoformat(),  # noqa: DTZ005 -- as LiteLLM's own
        cost=cost,
        facts=facts(call),
    )


def _writes_rows() -> bool:
    return not proxy_server.disable_spend_logs and not ProxyUpdateSpend.disable_spend_updates()


def _call(
    logging: Any,  # noqa: ANN401 -- LiteLLM is not typed
    call: Mapping[str, Any],
    metadata: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the part of a call's details that a row is made from."""
    parameters = call.get("litellm_params") or {}
    kept = {
        name: value for name, value in metadata.items() if name in _METADATA and value is not None
    }
    kept["model_info"] = {"id": (metadata.get("model_info") or {}).get("id")}
    groups = get_request_model_access_groups(call)
    if groups:
        kept[MODEL_ACCESS_GROUP_METADATA_KEY] = list(groups)
    return {
        **{name: call.get(name) for name in _DETAILS},
        "cache_hit": None,
        "litellm_trace_id": _Setup.get_standard_logging_payload_trace_id(logging, parameters),
        "litellm_params": {"metadata": kept, "api_base": parameters.get("api_base")},
        "completion_start_time": call.get("completion_start_time"),
    }

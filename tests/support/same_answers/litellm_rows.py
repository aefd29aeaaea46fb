"""A callback of plain LiteLLM's: writes what its spend log would hold, as a line of JSON.

LiteLLM's documented custom callback (https://docs.litellm.ai/docs/observability/custom_callback).
The row's `spend` is this payload's `response_cost`, and its tokens are this payload's
(proxy/hooks/proxy_track_cost_callback.py and spend_tracking_utils.py of 1.108.7). Without a
database LiteLLM needs no Prisma, and a row is there when its answer is, not seconds later.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from litellm.integrations.custom_logger import CustomLogger

FILE = Path(os.environ["LITELLM_ROWS"])


class Rows(CustomLogger):  # type: ignore[misc] # LiteLLM is not typed
    """Writes a line for each call that LiteLLM logs."""

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: object, start_time: object, end_time: object
    ) -> None:
        """Write the row of an answer."""
        del response_obj, start_time, end_time
        write(kwargs, "success")

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: object, start_time: object, end_time: object
    ) -> None:
        """Write the row of a failure."""
        del response_obj, start_time, end_time
        write(kwargs, "failure")


def write(kwargs: dict[str, Any], status: str) -> None:
    """Append a line."""
    payload = kwargs.get("standard_logging_object") or {}
    row = {
        "call": kwargs.get("litellm_call_id"),
        "status": status,
        "spend": payload.get("response_cost"),
        "prompt_tokens": payload.get("prompt_tokens"),
        "completion_tokens": payload.get("completion_tokens"),
        "total_tokens": payload.get("total_tokens"),
        "call_type": payload.get("call_type"),
        "model_group": payload.get("model_group"),
        "custom_llm_provider": payload.get("custom_llm_provider"),
    }
    with FILE.open("a") as file:
        file.write(json.dumps(row) + "\n")


rows = Rows()

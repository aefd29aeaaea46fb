"""Send an answer that breaks its JSON schema back to its model."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from gateway.request import Operation

if TYPE_CHECKING:
    from gateway.request import Request
    from gateway.routing.answer import Answer
    from gateway.routing.schema_check import RequestedSchema
    from gateway.routing.tracked import TrackedDeployment

MAX_PAID_ANSWERS = 2
"""The most answers of one deployment that a request pays for; costs/bound.py reserves as many."""


async def schema_of(request: Request) -> RequestedSchema | None:
    """Return the schema that a request's answer has to keep to; None when it names none."""
    wanted = request.body.get("response_format")
    if request.operation is not Operation.CHAT or not isinstance(wanted, dict):
        return None
    if wanted.get("type") != "json_schema":
        return None
    # The import takes a tenth of a second, so it waits for the first request with a schema.
    from gateway.routing.schema_check import requested_schema  # noqa: PLC0415 -- as said

    return await requested_schema(wanted)


def is_paid_out(request: Request, tracked: TrackedDeployment) -> bool:
    """Return whether a request has paid a deployment for MAX_PAID_ANSWERS, the most it may."""
    attempts = request.attempts
    paid = sum(e.bill is not None and e.deployment is tracked.deployment for e in attempts)
    return paid >= MAX_PAID_ANSWERS


def text_of(answer: Answer) -> str | None:
    """Return the content of an answer; None when it called a tool or refused."""
    if answer.stream is not None:
        return answer.stream.text()
    data = answer.reply.data if answer.reply is not None else None
    choices = (data or {}).get("choices")
    if not choices:
        return None
    message = choices[0].get("message") or {}
    if message.get("tool_calls") or message.get("refusal"):
        return None
    return message.get("content") or ""


def repair_request(request: Request, text: str, broken: str) -> Request:
    """Return a request that asks for a corrected answer; it shares the caller's list of attempts.

    Args:
        request: the caller's request.
        text: the answer that broke the schema.
        broken: how it broke the schema, in words that a model understands.
    """
    from gateway.routing.schema_check import repair_messages  # noqa: PLC0415 -- as above

    again = copy.copy(request)
    messages = repair_messages(request.body.get("messages") or [], text, broken)
    again.body = {**request.body, "messages": messages}
    return again

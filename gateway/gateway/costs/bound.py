"""What a request can cost at most, without a tokenizer: reserved before anybody is asked.

A token is at least one byte of text, so a prompt has no more tokens than its body has bytes. What a
chat template puts around a message is in these bytes: `{"role":"user","content":""},` has 29, and
no template more than 8 tokens (OpenAI 4, Llama 3 5, gpt-oss 6). What it puts around all of them is
`ceiling.TEMPLATE`. That does not bound pictures, sound, files and searches: for them the bound is
the most that the model takes in. Prices are the highest of any length, kind and service tier, of
the dearest deployment that may answer; where an answer may have to be repaired, each may answer
twice (routing/schema_repair.py, MAX_PAID_ANSWERS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.costs.ceiling import ceiling_of, whole
from gateway.request import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.config.deployment import Models
    from gateway.costs.ceiling import Ceiling
    from gateway.request import Request

REPAIR = 1024
"""Tokens of the instruction to correct an answer (routing/schema_check.py)."""

MAX_SEARCHES = 20
"""Searches in the web that one answer makes."""

BYTES_PER_SECOND = 500
"""Of the most compressed speech (Opus at 4 kbit/s); a file of sound is no longer than that."""

_NO_ANSWER = frozenset({Operation.EMBEDDING, Operation.MODERATION})
_IN_A_TEMPLATE = frozenset({Operation.CHAT, Operation.COMPLETION})
_TEXT = frozenset({"text", "refusal", "input_text", "output_text"})


@dataclass(slots=True)
class _Shape:
    """What of a request says how much it can take.

    Attributes:
        prompt: its tokens at most, without a template; -1 for any number.
        is_in_template: whether a template is put around it.
        has_tools: whether it has tools, or a form that may be asked for by one.
        answers: how many are asked for.
        max_tokens: of each answer; 0 when the request does not say so.
        max_completion_tokens: the same by OpenAI's newer name.
        unused: tokens of a prediction, which are paid in addition to each answer.
        searches: in the web, at most.
        may_repeat: whether an answer may be sent back for breaking its schema.
    """

    prompt: int
    is_in_template: bool
    has_tools: bool
    answers: int
    max_tokens: int
    max_completion_tokens: int
    unused: int
    searches: int
    may_repeat: bool


def upper_bound(
    models: Models, request: Request, aliases: Iterable[str], *, repairs: bool = False
) -> tuple[float, int]:
    """Return the most US dollars and tokens that a request can take.

    Args:
        models: the configuration.
        request: validated; its `size` is that of its body.
        aliases: that may answer: the one asked for, its fallbacks.
        repairs: whether an answer that breaks its schema is sent back to its model, and then the
            next deployment asked.
    """
    shape = _shape(request)
    dollars, tokens = 0.0, 0
    asks_all = repairs and shape.may_repeat
    for alias in aliases:
        for deployment in models.match(alias):
            ceiling = ceiling_of(deployment)
            given, most = _tokens(ceiling, shape)
            cost = 0.0 if ceiling.is_free else _dollars(ceiling, shape, request, given, most)
            if not asks_all:
                tokens = max(tokens, given + most)
                dollars = max(dollars, cost)
                continue
            again = min(given + most + REPAIR, ceiling.max_input)
            tokens += given + most + again + most
            if not ceiling.is_free:
                dollars += cost + _dollars(ceiling, shape, request, again, most)
    return dollars, tokens


def _tokens(ceiling: Ceiling, shape: _Shape) -> tuple[int, int]:
    """Return the most tokens that a deployment takes in and gives out."""
    given = ceiling.max_input
    if shape.prompt >= 0:
        around = ceiling.template_of_tools if shape.has_tools else ceiling.template
        given = min(shape.prompt + (around if shape.is_in_template else 0), given)
    if not shape.answers:
        return given, 0
    longest = max(
        shape.max_tokens or ceiling.max_tokens,
        shape.max_completion_tokens or ceiling.max_completion_tokens,
    )
    longest = min(longest, ceiling.context) or ceiling.max_output
    return given, shape.answers * (longest + shape.unused)


def _dollars(ceiling: Ceiling, shape: _Shape, request: Request, given: int, most: int) -> float:
    cost = given * ceiling.prompt + most * ceiling.completion + _beside_tokens(ceiling, request)
    cost += (MAX_SEARCHES if ceiling.searches else shape.searches) * ceiling.per_search
    return cost * ceiling.multiplier + ceiling.fixed


def _shape(request: Request) -> _Shape:
    body, operation = request.body, request.operation
    if "extra_body" in body:  # is put over the other fields, and was not looked at by anybody
        body = {**body, **body["extra_body"]}
    prompt, searches = request.size, MAX_SEARCHES if _searches(body) else 0
    if searches or operation is Operation.TRANSCRIPTION or _holds_more_than_text(body):
        prompt = -1
    answers = 0
    if operation not in _NO_ANSWER:
        answers = max(whole(body, "n"), whole(body, "best_of"), 1)
        if operation is Operation.COMPLETION and type(body.get("prompt")) is list:
            texts = body["prompt"]
            answers *= max(len(texts), 1) if not texts or type(texts[0]) is not int else 1
    unused = request.size if "prediction" in body else 0  # what of it is not taken is paid for
    form = request.body.get("response_format")
    return _Shape(
        prompt,
        operation in _IN_A_TEMPLATE,
        "tools" in body or "functions" in body or "response_format" in body,
        answers,
        whole(body, "max_tokens"),
        whole(body, "max_completion_tokens"),
        unused,
        searches,
        type(form) is dict and form.get("type") == "json_schema",
    )


def _holds_more_than_text(body: Mapping[str, Any]) -> bool:
    """Return whether messages hold, or point to, pictures, sound or files."""
    messages = body.get("messages")
    for message in messages if type(messages) is list else ():
        if type(message) is not dict:
            continue
        content = message.get("content")
        if type(content) is list and not all(_is_text(part) for part in content):
            return True
        if "audio" in message:  # an earlier answer, by its id
            return True
    return False


def _is_text(part: object) -> bool:
    return type(part) is dict and part.get("type") in _TEXT


def _searches(body: Mapping[str, Any]) -> bool:
    if "web_search_options" in body:
        return True
    tools = body.get("tools")
    return type(tools) is list and any(
        type(tool) is dict and tool.get("type") != "function" for tool in tools
    )


def _beside_tokens(ceiling: Ceiling, request: Request) -> float:
    """Return the most that is paid by the character, the second of sound, or of the call."""
    if request.operation is Operation.SPEECH:
        return ceiling.per_character * request.size
    if request.operation is Operation.TRANSCRIPTION:
        sound = sum(len(file.content) for file in request.files)
        return ceiling.per_second * sound / BYTES_PER_SECOND
    return ceiling.per_second * ceiling.seconds

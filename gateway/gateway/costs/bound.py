"""What a request can cost at most, without a tokenizer: reserved before anybody is asked.

A token is at least one byte of text, so a prompt has no more tokens than its body has bytes, plus
what a chat template puts around each message. Pictures, sound and files are not held by that: they
are bounded by what the model takes in at all. Prices are the highest of any length, kind and
service tier, of the dearest deployment that may answer. One answer is bounded: an attempt that is
billed and then repeated is reserved again by whoever repeats it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.costs.extras import most_per_search
from gateway.costs.rates import unit
from gateway.costs.tariff import tariff_of
from gateway.request import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.config.deployment import Deployment, Models
    from gateway.request import Request

TOKENS_PER_MESSAGE = 16
"""What templates put around a message: role, separators. Llama 3 has 5, Gemma 4, Mistral 3."""

TOKENS_PER_PROMPT = 1024
"""What they put around all: a system prompt of a model's own, how tools are to be called."""

UNKNOWN_INPUT = 1_048_576
"""Tokens, for a request with pictures or files to a model whose input nobody bounds."""

UNKNOWN_OUTPUT = 131_072
"""Tokens, for a model whose answer nobody bounds: neither the request nor LiteLLM's price map."""

MOST_SEARCHES = 20
"""Searches in the web that one answer makes."""

BYTES_PER_SECOND = 500
"""Of the most compressed speech (Opus at 4 kbit/s); a file of sound is no longer than that."""

_NO_ANSWER = frozenset({Operation.EMBEDDING, Operation.MODERATION})
_ASKED = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_TEXT = frozenset({"text", "refusal", "input_text"})


@dataclass(frozen=True, slots=True)
class _Ceiling:
    """The highest prices and the longest texts of a deployment."""

    is_free: bool
    prompt: float
    completion: float
    max_input: int
    max_output: int
    context: int
    fixed: float
    per_second: float
    per_character: float
    per_search: float
    multiplier: float
    default_output: int | None
    seconds: float


_CEILINGS: dict[int, tuple[Deployment, _Ceiling]] = {}


def upper_bound(models: Models, request: Request, aliases: Iterable[str]) -> tuple[float, int]:
    """Return the most US dollars and tokens that one answer to a request can take.

    Args:
        models: the configuration.
        request: validated; its `size` is that of its body.
        aliases: that may answer: the one asked for, its fallbacks.
    """
    prompt, answers, asked, searches = _shape(request)
    dollars, tokens = 0.0, 0
    for alias in aliases:
        for deployment in models.match(alias):
            ceiling = _ceiling_of(deployment)
            given = ceiling.max_input if prompt < 0 else min(prompt, ceiling.max_input)
            most = 0 if answers == 0 else answers * _longest(ceiling, asked)
            tokens = max(tokens, given + most)
            if not ceiling.is_free:
                cost = given * ceiling.prompt + most * ceiling.completion
                cost += _beside_tokens(ceiling, request) + searches * ceiling.per_search
                dollars = max(dollars, cost * ceiling.multiplier + ceiling.fixed)
    return dollars, tokens


def _shape(request: Request) -> tuple[int, int, int | None, int]:
    """Return tokens of the prompt at most (-1: unbounded), answers, tokens of each, searches."""
    body, operation = request.body, request.operation
    prompt = request.size + TOKENS_PER_PROMPT
    if operation is Operation.CHAT:
        messages = body.get("messages") or ()
        prompt += TOKENS_PER_MESSAGE * len(messages)
        for message in messages:
            content = message.get("content")
            if isinstance(content, list) and any(p.get("type") not in _TEXT for p in content):
                prompt = -1
                break
    elif operation is Operation.TRANSCRIPTION:
        prompt = -1
    if operation in _NO_ANSWER:
        return prompt, 0, None, 0
    answers = max(_whole(body, "n"), _whole(body, "best_of"), 1)
    if operation is Operation.COMPLETION and type(body.get("prompt")) is list:
        texts = body["prompt"]
        answers *= max(len(texts), 1) if not texts or type(texts[0]) is not int else 1
    asked = next((_whole(body, name) for name in _ASKED if body.get(name) is not None), None)
    return prompt, answers, asked, MOST_SEARCHES if _searches(body) else 0


def _whole(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    return value if type(value) is int and value > 0 else 0


def _searches(body: Mapping[str, Any]) -> bool:
    tools = body.get("tools") or ()
    return "web_search_options" in body or any(
        isinstance(tool, dict) and tool.get("type") != "function" for tool in tools
    )


def _longest(ceiling: _Ceiling, asked: int | None) -> int:
    if asked is None:
        asked = ceiling.default_output
    return ceiling.max_output if asked is None else min(asked, ceiling.context)


def _beside_tokens(ceiling: _Ceiling, request: Request) -> float:
    """Return the most that is paid by the character, the second of sound, or of the call."""
    if request.operation is Operation.SPEECH:
        return ceiling.per_character * request.size
    if request.operation is Operation.TRANSCRIPTION:
        sound = sum(len(file.content) for file in request.files)
        return ceiling.per_second * sound / BYTES_PER_SECOND
    return ceiling.per_second * ceiling.seconds


def _ceiling_of(deployment: Deployment) -> _Ceiling:
    found = _CEILINGS.get(id(deployment))
    if found is not None:  # it is held, so its id is no other's
        return found[1]
    if len(_CEILINGS) > 4096:  # noqa: PLR2004 -- many reloads later
        _CEILINGS.clear()
    ceiling = _make(deployment)
    _CEILINGS[id(deployment)] = (deployment, ceiling)
    return ceiling


def _make(deployment: Deployment) -> _Ceiling:
    tariff = tariff_of(deployment)
    price = tariff.price
    bands = [rates for bands in tariff.bands.values() for rates in bands]
    factors = price.get("provider_specific_entry")
    factors = factors.values() if isinstance(factors, dict) else ()
    most_of_entry = 1.0
    for factor in factors:
        most_of_entry *= max(float(factor), 1.0)
    known = [n for n in (deployment.max_input_tokens, deployment.max_output_tokens) if n]
    asked = next((v for name in _ASKED if (v := _whole(deployment.defaults, name))), None)
    seconds = (unit(price, f"{side}cost_per_second") or 0.0 for side in ("", "input_", "output_"))
    return _Ceiling(
        is_free=tariff.is_free and tariff.fixed == 0,
        prompt=max(rates.dearest_in for rates in bands)
        + (unit(price, "citation_cost_per_token") or 0.0),
        completion=max(rates.dearest_out for rates in bands),
        max_input=deployment.max_input_tokens or UNKNOWN_INPUT,
        max_output=deployment.max_output_tokens or deployment.max_input_tokens or UNKNOWN_OUTPUT,
        context=max(known, default=UNKNOWN_INPUT),
        fixed=tariff.fixed,
        per_second=max(seconds),
        per_character=unit(price, "input_cost_per_character") or 0.0,
        per_search=most_per_search(deployment.provider, price),
        multiplier=tariff.multiplier * (most_of_entry if deployment.provider == "anthropic" else 1),
        default_output=asked,
        seconds=deployment.timeout or 0.0,
    )

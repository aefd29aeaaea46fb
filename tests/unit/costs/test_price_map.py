"""Bills are LiteLLM's, to the tenth decimal, on its whole price map."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access.caller import Caller
from gateway.config.deployment import Deployment, Protocol
from gateway.config.price_entry import price_of
from gateway.config.prices import price_list
from gateway.costs import bill
from gateway.request import Client, Operation, Request, Usage
from support.litellm_library import litellm
from support.long import rounds

PRECISION = 1e-10
EXAMPLES = rounds(1, long=10)
"""Generated usages for each entry of the map."""

OPERATIONS = {
    "chat": Operation.CHAT,
    "responses": Operation.CHAT,
    "completion": Operation.CHAT,
    "realtime": Operation.CHAT,
    None: Operation.CHAT,
    "embedding": Operation.EMBEDDING,
}
LENGTHS = (0, 1, 1000, 128_000, 128_001, 200_000, 200_001, 272_000, 272_001, 600_000)

ASKS_ITS_PROVIDER = ("github_copilot", "chatgpt")
"""LiteLLM logs in at these providers before it says a price."""

BY_SIZE_OF_ITS_NAME = "together-ai-"
"""Entries that LiteLLM takes for Together's unlisted models, and no model of their own."""


@dataclass(frozen=True)
class Case:
    """A usage, as a provider reports it and as the gateway has it."""

    usage: Usage

    @property
    def raw(self) -> dict[str, Any]:
        """The provider's own object."""
        return dict(self.usage.raw)


def case(prompt: int, completion: int, **details: Any) -> Case:
    """Return a usage; `details` are counts by kind."""
    cached, written = details.get("cached", 0), details.get("written", 0)
    reasoning = details.get("reasoning", 0)
    given = {"cached_tokens": cached, "cache_write_tokens": written or None}
    given |= {
        "text_tokens": details.get("text"),
        "audio_tokens": details.get("audio"),
        "image_tokens": details.get("image"),
        "web_search_requests": details.get("searches"),
    }
    taken = {"reasoning_tokens": reasoning, "audio_tokens": details.get("audio_out")}
    taken |= {"text_tokens": details.get("text_out"), "image_tokens": details.get("image_out")}
    raw = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {k: v for k, v in given.items() if v is not None},
        "completion_tokens_details": {k: v for k, v in taken.items() if v is not None},
    }
    if "tier" in details:
        raw["service_tier"] = details["tier"]
    return Case(Usage(prompt, completion, cached, written, reasoning, raw))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Usages of every kind, and of lengths around every threshold."""
    prompt = draw(st.sampled_from(LENGTHS) | st.integers(0, 700_000))
    completion = draw(st.integers(0, 200_000))
    cached = draw(st.integers(0, prompt))
    optional = {
        "text": st.integers(0, prompt),
        "audio": st.integers(0, prompt),
        "image": st.integers(0, prompt),
        "searches": st.integers(0, 3),
        "text_out": st.integers(0, completion),
        "audio_out": st.integers(0, completion),
        "image_out": st.integers(0, completion),
        "tier": st.sampled_from(["flex", "priority", "default", "auto", "fast", "ultrafast"]),
    }
    chosen = draw(st.fixed_dictionaries({}, optional=optional))
    return case(
        prompt,
        completion,
        cached=cached,
        written=draw(st.integers(0, prompt - cached)),
        reasoning=draw(st.integers(0, completion)),
        **chosen,
    )


@cache
def deployments() -> tuple[tuple[Deployment, str | None], ...]:
    """Return a deployment of each entry that a request can go to, and its mode."""
    return tuple(_deployments())


def _deployments() -> Iterator[tuple[Deployment, str | None]]:
    for key, entry in price_list().items():
        provider = str(entry.get("litellm_provider") or "")
        if entry.get("mode") not in OPERATIONS or key.startswith(("sample_spec", "fallback_")):
            continue
        if provider in ASKS_ITS_PROVIDER or key.startswith(BY_SIZE_OF_ITS_NAME):
            continue
        prefixed = key.startswith(f"{provider}/") or provider.startswith(("bedrock", "vertex"))
        try:
            found = litellm().get_llm_provider(model=key if prefixed else f"{provider}/{key}")
        except litellm().BadRequestError:
            continue  # LiteLLM has no such provider any more
        yield deployment(found[1], found[0], entry.get("mode")), entry.get("mode")


def deployment(provider: str, model: str, mode: str | None) -> Deployment:
    """Return a deployment at the listed price."""
    return Deployment(
        id=f"{provider}/{model}",
        alias=model,
        provider=provider,
        model=model,
        protocol=Protocol.WORKER,
        mode=mode or "chat",
        price=price_of(provider, model, {}, {}),
    )


def by_litellm(target: Deployment, raw: dict[str, Any], call_type: str) -> float | None:
    """Return what LiteLLM's calculator says; None when it knows no price."""
    response = litellm().ModelResponse(model=target.model)
    response.usage = litellm().Usage(**raw)
    try:
        cost: float = litellm().completion_cost(
            completion_response=response,
            model=target.model,
            custom_llm_provider=target.provider,
            call_type=call_type,
        )
    except Exception:  # noqa: BLE001 -- it raises many kinds for a model that it does not know
        return None
    return cost


@pytest.mark.long
def test_every_entry_is_billed_as_litellm_bills_it() -> None:
    """Every entry of LiteLLM's price map is billed as LiteLLM bills it."""
    chance = random.Random(20_261_127)
    compared, wrong = 0, []
    for target, mode in deployments():
        operation = OPERATIONS[mode]
        examples = [case(600_000, 12_000, cached=1000, reasoning=100)]
        examples += [_example(chance) for _ in range(EXAMPLES)]
        for each in examples:
            expected = by_litellm(target, each.raw, operation.call_type)
            if expected is None:
                continue
            compared += 1
            cost = bill(target, operation, each.usage).cost
            if cost != pytest.approx(expected, abs=PRECISION):
                wrong.append((target.full_model, each.raw, expected, cost))

    assert not wrong, f"{len(wrong)} of {compared}: {wrong[:3]}"
    assert compared > 6_000


def _example(chance: random.Random) -> Case:
    prompt = chance.choice([100, 5000, 130_000, 250_000, 300_000, 600_000])
    completion = chance.randrange(1, 20_000)
    cached = chance.randrange(prompt + 1)
    details = {
        "text": chance.randrange(prompt),
        "audio": chance.randrange(prompt),
        "image": chance.randrange(prompt),
        "searches": chance.randrange(4),
        "text_out": chance.randrange(completion),
        "audio_out": chance.randrange(completion),
        "image_out": chance.randrange(completion),
        "tier": chance.choice(["flex", "priority", "default", "auto", "fast", "ultrafast"]),
    }
    chosen = {name: value for name, value in details.items() if chance.random() < 0.3}
    return case(
        prompt,
        completion,
        cached=cached,
        written=chance.choice([0, chance.randrange(prompt - cached + 1)]),
        reasoning=chance.choice([0, chance.randrange(completion + 1)]),
        **chosen,
    )


@settings(max_examples=rounds(100, long=1000), deadline=None)
@given(st.data())
def test_any_usage_of_any_entry_is_billed_as_litellm_bills_it(data: st.DataObject) -> None:
    """Any usage that hypothesis finds for any entry is billed as LiteLLM bills it."""
    target, mode = data.draw(st.sampled_from(deployments()))
    each = data.draw(cases())
    operation = OPERATIONS[mode]
    expected = by_litellm(target, each.raw, operation.call_type)
    if expected is not None:
        assert bill(target, operation, each.usage).cost == pytest.approx(expected, abs=PRECISION)


def of_mode(mode: str) -> Iterator[tuple[str, str]]:
    """Yield provider and model of each entry of a mode that LiteLLM has a provider for."""
    for key, entry in price_list().items():
        if entry.get("mode") == mode:
            provider = str(entry["litellm_provider"])
            yield provider, key.removeprefix(f"{provider}/")


def test_transcriptions_are_billed_by_the_second_as_litellm_bills_them() -> None:
    """Every entry that transcribes is billed by the second, as LiteLLM bills it."""
    compared = 0
    for provider, model in of_mode("audio_transcription"):
        target = deployment(provider, model, "audio_transcription")
        seconds = litellm().TranscriptionResponse(text="Der Apfel ist rot.")
        seconds._hidden_params = {"audio_transcription_duration": 12.5}
        try:
            expected = litellm().completion_cost(
                completion_response=seconds,
                model=model,
                custom_llm_provider=provider,
                call_type="atranscription",
            )
        except Exception:  # noqa: BLE001, S112 -- it knows no price of this one
            continue
        compared += 1
        usage = Usage(raw={"type": "duration", "seconds": 12.5})
        cost = bill(target, Operation.TRANSCRIPTION, usage).cost
        assert cost == pytest.approx(expected, abs=PRECISION), target.full_model
    assert compared > 50


def test_speech_is_billed_by_the_character_as_litellm_bills_it() -> None:
    """Every entry that speaks is billed by the character without white space, as in LiteLLM."""
    text = "Der Apfel ist rot.\n Und  süß."
    compared = 0
    for provider, model in of_mode("audio_speech"):
        target = deployment(provider, model, "audio_speech")
        if not target.price.get("input_cost_per_character"):
            continue
        try:
            expected = litellm().completion_cost(
                model=model, custom_llm_provider=provider, prompt=text, call_type="aspeech"
            )
        except Exception:  # noqa: BLE001, S112 -- as above
            continue
        compared += 1
        request = Request(
            "", Operation.SPEECH, model, {"input": text}, 99, Caller(), client=Client()
        )
        cost = bill(target, Operation.SPEECH, Usage(), request).cost
        assert cost == pytest.approx(expected, abs=PRECISION), target.full_model
    assert compared > 10

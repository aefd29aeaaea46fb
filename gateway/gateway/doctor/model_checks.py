"""Checks of Ollama: does it answer, has it the model, does the model fit, is it fast enough."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.doctor.finding import Finding, Repair
from gateway.doctor.host_checks import ollama_listens_elsewhere
from gateway.doctor.seen import BUNDLED_OLLAMA, LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.doctor.facts import Facts
    from gateway.doctor.seen import OllamaSeen

GIB = 1024**3
OVERHEAD = 1.2
"""The memory that a model takes besides its weights, for context and buffers."""
BYTES_A_PARAMETER = 0.6
"""Of Ollama's usual quantisation to four bits."""
TOKENS = 300
"""A long answer of the app; its limits are 600 and 1024."""

REFUSES_LONG_PROMPTS = (0, 12, 6)
"""The first Ollama that takes `truncate: false`: https://github.com/ollama/ollama/pull/12582."""

LIBRARY = (
    *("llama3.2", "llama3.1", "llama3.3", "mistral", "mistral-nemo", "mistral-small", "gemma2"),
    *("gemma3", "gemma3n", "qwen2.5", "qwen3", "phi3", "phi4", "phi4-mini", "deepseek-r1"),
    *("gpt-oss", "command-r", "granite3.3", "smollm2", "tinyllama", "codellama", "llava"),
)
"""Names of Ollama's library that people mean, for a misspelt one: https://ollama.com/library."""


def ollama_answers(facts: Facts) -> Iterator[Finding]:
    """Find an Ollama in use that does not answer or was left out."""
    if not _is_used(facts):
        return
    base = facts.ollama_base
    if base == BUNDLED_OLLAMA:
        if facts.services and not facts.wants_bundled_ollama:
            yield Finding(
                "the local model is asked, but not started",
                f"OLLAMA_REPLICAS=0 starts no Ollama; {_askers(facts)} ask it",
                "remove OLLAMA_REPLICAS from .env, or name another alias there: "
                "LITELLM_EXTRACTION_MODEL, LITELLM_EXPLANATION_MODEL",
            )
        return
    seen = _seen(facts, base)
    reported = urlsplit(base).hostname in LOOPBACK or any(ollama_listens_elsewhere(facts))
    if seen is not None and seen.error is not None and not reported:
        yield Finding(
            "Ollama does not answer",
            f"OLLAMA_API_BASE is {base}: {seen.error}",
            "start it there (ollama serve), correct OLLAMA_API_BASE, or remove it for the "
            "bundled one",
        )


def model_present(facts: Facts) -> Iterator[Finding]:
    """Find a model that is misspelt, not pulled, or could not be pulled."""
    status = facts.model_status
    if facts.ollama_base == BUNDLED_OLLAMA:
        if status is not None and status.state == "failed":
            near = _nearest(status.model, facts)
            yield Finding(
                f"the model {status.model} is not served",
                status.detail,
                f"OLLAMA_MODEL={near} in .env, if that was meant; else: {status.what_to_do}"
                if near
                else status.what_to_do,
                Repair("restart", "ollama", "restart ollama, which pulls the model again"),
            )
        return
    seen = _seen(facts, facts.ollama_base)
    if seen is None or seen.error is not None or _find(facts.model, seen.models) is not None:
        return
    near = _nearest(facts.model, facts)
    yield Finding(
        f"Ollama has no model {facts.model}",
        f"{seen.url} has {', '.join(seen.models) or 'none'}",
        f"ollama pull {facts.model}" + (f"; or OLLAMA_MODEL={near} in .env" if near else ""),
    )


def model_fits(facts: Facts) -> Iterator[Finding]:
    """Find a model that needs more memory than there is, or than OLLAMA_MEMORY allows."""
    need = _need(facts)
    if need is None or facts.ollama_base != BUNDLED_OLLAMA or not facts.wants_bundled_ollama:
        return
    limit = facts.services["ollama"].memory
    total = facts.engine.memory
    if total is not None and need > total:
        yield Finding(
            f"this machine's memory is too small for {facts.model}",
            f"it needs about {need / GIB:.1f} GiB, containers can have {total / GIB:.1f} GiB",
            "take a smaller OLLAMA_MODEL (llama3.2 needs 2.4 GiB), or a provider: providers/",
        )
    elif limit and need > limit:
        yield Finding(
            f"OLLAMA_MEMORY is too small for {facts.model}",
            f"it needs about {need / GIB:.1f} GiB, OLLAMA_MEMORY allows {limit / GIB:.1f} GiB",
            f"OLLAMA_MEMORY={int(need / GIB) + 1}g in .env, then ./run up",
        )
    elif facts.free_memory is not None and need > facts.free_memory and not _is_loaded(facts):
        yield Finding(
            f"too little memory is free for {facts.model}",
            f"it needs about {need / GIB:.1f} GiB, {facts.free_memory / GIB:.1f} GiB are free",
            "stop what uses it, or choose a smaller OLLAMA_MODEL",
        )


def answers_in_time(facts: Facts) -> Iterator[Finding]:
    """Find a model that is too slow to finish a long answer before the timeout."""
    seen = _seen(facts, facts.ollama_base)
    if seen is None or not seen.speed:
        return
    need = TOKENS / seen.speed
    limits = {
        "REQUEST_TIMEOUT": facts.observed.timeout,
        "LITELLM_TIMEOUT": _seconds(facts.setting("backend-stub", "LITELLM_TIMEOUT")),
    }
    small = {name: value for name, value in limits.items() if value and value < need}
    if small:
        shown = ", ".join(f"{name} is {value:g}" for name, value in small.items())
        wanted = " and ".join(f"{name}={round(need * 1.5):d}" for name in small)
        yield Finding(
            f"{facts.model} is too slow for the timeout",
            f"it makes {seen.speed:.1f} tokens a second, so {TOKENS} take {need:.0f} s; {shown}",
            f"{wanted} in .env, then ./run up; or take a smaller OLLAMA_MODEL",
        )


def long_prompts_are_refused(facts: Facts) -> Iterator[Finding]:
    """Find an Ollama that does not know `truncate`, and so cuts what does not fit its context."""
    for seen in facts.observed.ollamas:
        numbers = tuple(int(each) for each in re.findall(r"\d+", seen.version)[:3])
        if numbers and numbers < REFUSES_LONG_PROMPTS:
            yield Finding(
                "this Ollama cuts prompts that are too long",
                f"{seen.url} is version {seen.version}: what does not fit the model's context is "
                "left out in silence, and no context fallback is asked",
                f"update it to {'.'.join(map(str, REFUSES_LONG_PROMPTS))} or newer",
            )


CHECKS = (ollama_answers, model_present, model_fits, answers_in_time, long_prompts_are_refused)


def _is_used(facts: Facts) -> bool:
    return bool(_askers(facts))


def _askers(facts: Facts) -> str:
    """Return the aliases in use that Ollama answers, with commas between."""
    local = {d.alias for d in facts.observed.deployments if d.provider.startswith("ollama")}
    return ", ".join(sorted(local & set(facts.asked.values())))


def _seen(facts: Facts, base: str) -> OllamaSeen | None:
    return next((each for each in facts.observed.ollamas if each.url == base), None)


def _with_tag(model: str) -> str:
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _find(model: str, sizes: object) -> int | None:
    return sizes.get(_with_tag(model)) if isinstance(sizes, dict) else None


def _nearest(model: str, facts: Facts) -> str | None:
    """Return the model at hand, or else of the library, whose name is most like `model`."""
    at_hand = [name for each in facts.observed.ollamas for name in each.models]
    at_hand += list(facts.weights)
    name, _, tag = model.partition(":")
    near = get_close_matches(_with_tag(model), at_hand, n=1, cutoff=0.7)
    if near:
        return near[0].removesuffix(":latest")
    near = get_close_matches(name, LIBRARY, n=1, cutoff=0.7)
    found = f"{near[0]}:{tag}" if near and tag else near[0] if near else None
    return None if found == model else found


def _need(facts: Facts) -> int | None:
    """Return the bytes that the model takes in memory; None when nobody knows its size."""
    seen = _seen(facts, facts.ollama_base)
    size = _find(facts.model, dict(seen.models) if seen else {})
    size = size or _find(facts.model, dict(facts.weights))
    billions = re.search(r":(?:.*-)?(\d+(?:\.\d+)?)b\b", facts.model)
    if size is None and billions:
        size = int(float(billions[1]) * 1e9 * BYTES_A_PARAMETER)
    return int(size * OVERHEAD) if size else None


def _is_loaded(facts: Facts) -> bool:
    seen = _seen(facts, facts.ollama_base)
    return seen is not None and _with_tag(facts.model) in seen.loaded


def _seconds(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None

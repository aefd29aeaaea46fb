"""What the stack leaves of a local model's speed: through the gateway, and Ollama asked directly.

Both ask the same Ollama, in turns, one request at a time. With a known prefix each prompt begins as
the one before it, so that the model server can reuse what it has read; with a new one it cannot.
"""

from __future__ import annotations

import datetime as dt
import json
import random
from typing import TYPE_CHECKING, Any

import requests

from bench.alternatives.base import Alternative
from bench.alternatives.gateway import Gateway
from bench.load import client
from bench.load.bodies import MARKER, WORDS
from bench.measure import rounds
from bench.measure.samples import Check, Record
from bench.site import site
from support.stack import MODEL

if TYPE_CHECKING:
    from bench.options import Options
    from bench.site import Site

REQUESTS = 5
"""In each turn."""

LOWEST = 0.98
"""Of the model's own speed; what the issue of the benchmarks promises."""

TOKENS = 48
PREFIX_WORDS = 250
CELLS = {"known": "prompt whose beginning is known", "new": "prompt that is all new"}


class Ollama(Alternative):
    """Ollama's own API in OpenAI's form."""

    name = "ollama"
    title = "Ollama directly"
    model = MODEL
    main = "none"

    def start(self) -> None:
        """Do nothing: it runs as a service of the stack."""
        self.url = "http://ollama:11434/v1/chat/completions"


class GatewayBeforeOllama(Gateway):
    """The stack with its local model."""

    model = "extraction-model"

    def start(self) -> None:
        """Bring the model in, then start the rest."""
        self.site.stack.run("up")
        super().start()


def run(options: Options) -> Record:
    """Measure."""
    record = Record.new("model")
    record.cells = CELLS
    with site({"OLLAMA_REPLICAS": "1", "OLLAMA_MODEL": MODEL}) as place:
        alternatives: list[Alternative] = [GatewayBeforeOllama(place), Ollama(place)]
        record.alternatives = {each.name: each.title for each in alternatives}
        with rounds.started(record, alternatives, warm=False):
            record.versions |= _ollama_version(place)
            record.notes.append(_prefix_seen(place))
            kinds = {name: name == "known" for name in CELLS}
            rounds.take_turns(record, alternatives, kinds, options.rounds, _turn)
    for cell, title in CELLS.items():
        ratio = record.ratio(cell, "gateway", "ollama", "tokens_per_second")
        seen = "nothing" if ratio is None else f"{ratio.median:.3f}"
        holds = ratio is not None and ratio.median >= LOWEST
        record.checks.append(Check(f"{title}: at least {LOWEST} of Ollama's speed", holds, seen))
    return record


def _turn(alternative: Alternative, known: bool) -> dict[str, float] | None:
    spec = alternative.spec(
        [_body(alternative.model, known=known)], 1, seconds=600, stream=True, requests=REQUESTS
    )
    seen = client.run(alternative.site.load, spec)
    if not seen.answers:
        return None
    return {
        "first_token_ms": seen.first_token_ms["p50"],
        "tokens_per_second": 1000 / seen.gap_ms["mean"],
        "whole_ms": seen.whole_ms["p50"],
        "tokens": seen.chunks / seen.answers,
    }


def _body(model: str, *, known: bool) -> str:
    words = " ".join(random.Random(7).choices(WORDS, k=PREFIX_WORDS))
    question = "Was heißt Hund auf Englisch?"
    system = f"Ein Text: {words}"
    messages = [
        {"role": "system", "content": system if known else f"{MARKER} {system}"},
        {"role": "user", "content": f"{question} {MARKER if known else ''}"},
    ]
    rest: dict[str, Any] = {"max_tokens": TOKENS, "temperature": 0, "stream": True}
    return json.dumps({"model": model, "messages": messages, **rest}, ensure_ascii=False)


def _native(place: Site, prompt: str) -> dict[str, Any]:
    url = f"http://{place.stack.address('ollama')}:11434/api/chat"
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": prompt}],
        "stream": False,
        "options": {"num_predict": 1, "temperature": 0},
    }
    answer = requests.post(url, json=body, timeout=300)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _prefix_seen(place: Site) -> str:
    """Return what the model server itself says of the same prompt, asked twice."""
    words = " ".join(random.Random().choices(WORDS, k=PREFIX_WORDS))
    prompt = f"{dt.datetime.now(dt.UTC).isoformat()} {words}"
    first, second = _native(place, prompt), _native(place, f"{prompt} {words[:20]}")
    said = "; ".join(
        f"{each['prompt_eval_count']} tokens in {each['prompt_eval_duration'] / 1e6:.0f} ms"
        for each in (first, second)
    )
    return f"prompt_eval_count and its time, a new prompt and then one that begins with it: {said}"


def _ollama_version(place: Site) -> dict[str, str]:
    url = f"http://{place.stack.address('ollama')}:11434/api/version"
    return {"Ollama": str(requests.get(url, timeout=10).json()["version"]), "model": MODEL}

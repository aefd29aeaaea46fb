"""Ask a model about the German sentences, exactly as POST /extract does.

Prompt, schema, repair and client are those of LiteLLMProvider; this module only watches the calls
on their way, because a repair that worked does not show in the answer, and neither do the tokens
of a sentence that failed.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import httpx

from backend_stub.evaluation.entries import Entry
from backend_stub.failures import ServiceError
from backend_stub.litellm_provider import CALL_ID, LiteLLMProvider
from backend_stub.schemas import ExtractRequest, Item
from backend_stub.settings import Settings

Outcome = Literal["valid", "repaired", "invalid", "failed"]
"""valid at first try; valid after the one repair; invalid twice; no answer of this model."""

MAX_FAILED = 0.1
"""Share of sentences without an answer up to which figures still say something about a model."""

_HOPELESS = frozenset(
    {
        "gateway_unreachable",
        "gateway_key_refused",
        "provider_key_refused",
        "model_unavailable",
        "budget_exceeded",
    }
)
"""Codes after which no other sentence can fare better."""

_WAITS = 3
_LONGEST_WAIT = 60.0
"""A rate limit is waited for this often, and this many seconds at most: free tiers count minutes"""


class UnusableError(Exception):
    """The model cannot be judged; the text says why and what to do."""


@dataclass
class Calls:
    """What went over the wire for one sentence."""

    repaired: bool = False
    fallback: bool = False
    """LiteLLM let another alias answer (its header x-litellm-attempted-fallbacks)."""
    deployment_id: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True)
class Answer:
    """How a model did on one sentence."""

    entry: Entry
    outcome: Outcome
    seconds: float
    """Of the call or, with a repair, both; waits for a rate limit are left out."""
    calls: Calls
    items: tuple[Item, ...] = ()
    deployment: str = ""
    error: str = ""
    """Code of the failure, as in backend_stub.failures."""


@dataclass
class _Watch:
    """Notes what each call said about itself, by the call's id."""

    seen: dict[str, Calls] = field(default_factory=dict)

    async def on_response(self, response: httpx.Response) -> None:
        """Add up usage and cost; called by httpx before the client reads the answer."""
        call_id = response.request.headers.get(CALL_ID, "")
        calls = self.seen.setdefault(call_id.removesuffix("-repair"), Calls())
        calls.repaired |= call_id.endswith("-repair")
        calls.fallback |= response.headers.get("x-litellm-attempted-fallbacks", "0") != "0"
        calls.deployment_id = response.headers.get("x-litellm-model-id") or calls.deployment_id
        calls.cost_usd += float(response.headers.get("x-litellm-response-cost") or 0)
        await response.aread()
        try:
            usage = response.json()["usage"]
            calls.prompt_tokens += int(usage["prompt_tokens"])
            calls.completion_tokens += int(usage["completion_tokens"])
        except (ValueError, KeyError, TypeError):
            return  # an error answer has no usage

    def of(self, request_id: str) -> Calls:
        """Return what is known of a request's calls."""
        return self.seen.get(request_id, Calls())


async def ask(  # noqa: PLR0913 -- what is asked, and how; all but three have defaults
    settings: Settings,
    model: str,
    entries: Sequence[Entry],
    *,
    concurrency: int = 1,
    transport: httpx.AsyncBaseTransport | None = None,
    on_answer: Callable[[Answer], None] = lambda _: None,
) -> list[Answer]:
    """Return an answer for each entry, in their order.

    Args:
        settings: as the service's own; the gateway's address, key, and seconds for one sentence.
        model: an alias of the gateway.
        entries: what to ask.
        concurrency: sentences at a time; a local model answers one at a time.
        transport: how to reach the gateway; the network, unless a test gives a fake.
        on_answer: called after each sentence.

    Raises:
        UnusableError: the gateway or the model cannot be used at all.
    """
    watch = _Watch()
    settings = settings.model_copy(update={"litellm_extraction_model": model})
    hooks = {"response": [watch.on_response]}
    answers: dict[str, Answer] = {}
    waiting = iter(entries)

    async with httpx.AsyncClient(transport=transport, event_hooks=hooks) as client:
        provider = LiteLLMProvider(settings, client)

        async def work(entries: Iterator[Entry]) -> None:
            for entry in entries:
                answers[entry.id] = answer = await _ask_one(provider, watch, entry)
                on_answer(answer)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(concurrency):
                    group.create_task(work(waiting))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
    return [answers[entry.id] for entry in entries]


async def _ask_one(provider: LiteLLMProvider, watch: _Watch, entry: Entry) -> Answer:
    for attempt in range(_WAITS + 1):
        request_id = str(uuid.uuid4())
        started = time.monotonic()
        try:
            response = await provider.extract(ExtractRequest(text=entry.sentence), request_id)
        except ServiceError as error:
            seconds = time.monotonic() - started
            if error.code in _HOPELESS:
                raise UnusableError(error.message) from error
            if error.code == "rate_limited" and attempt < _WAITS:
                await asyncio.sleep(_wait(error))
                continue
            outcome: Outcome = "invalid" if error.code == "invalid_model_output" else "failed"
            calls = watch.of(request_id)
            return Answer(entry, outcome, seconds, calls, error=error.code)
        seconds = time.monotonic() - started
        calls = watch.of(request_id)
        if calls.fallback:
            return Answer(entry, "failed", seconds, calls, error="answered_by_fallback")
        outcome = "repaired" if calls.repaired else "valid"
        return Answer(entry, outcome, seconds, calls, tuple(response.items), response.model)
    raise AssertionError  # the last attempt returns or raises


def _wait(error: ServiceError) -> float:
    """Return seconds; a Retry-After that is a date, or absent, counts as the longest."""
    try:
        return min(float(error.retry_after or _LONGEST_WAIT), _LONGEST_WAIT)
    except ValueError:
        return _LONGEST_WAIT

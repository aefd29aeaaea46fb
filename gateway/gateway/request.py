"""The words that every room shares: a request, who asks, its attempts, what they used and cost.

A request walks http → access → limits → routing → providers → journal → http. Each room fills in
what it knows and hands the same object on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.access.caller import Caller
    from gateway.config.deployment import Deployment
    from gateway.routing.failure import Failure


class Operation(Enum):
    """What is asked for: OpenAI's path, and LiteLLM's name of the kind of call (spend logs)."""

    CHAT = ("/chat/completions", "acompletion")
    COMPLETION = ("/completions", "atext_completion")
    EMBEDDING = ("/embeddings", "aembedding")
    MODERATION = ("/moderations", "amoderation")
    SPEECH = ("/audio/speech", "aspeech")
    TRANSCRIPTION = ("/audio/transcriptions", "atranscription")

    @property
    def path(self) -> str:
        """The path, without /v1."""
        return self.value[0]

    @property
    def call_type(self) -> str:
        """LiteLLM's name of the kind of call."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file of a multipart request."""

    field: str
    name: str
    content_type: str
    content: bytes


@dataclass(slots=True)
class Controls:
    """What a request asks of the gateway, not of a model; taken out of its body.

    Attributes:
        fallbacks: aliases instead of the configured ones, in order; None for the configured ones.
        disable_fallbacks: whether no other alias may answer.
        num_retries: retries of this request; None for the configured number.
        timeout: seconds for one attempt; None for the configured ones. It can only shorten those.
        metadata: the caller's own, kept in the spend log.
        tags: for the spend log, and for reports by tag.
        session_id: what joins several requests in LiteLLM's pages.
    """

    fallbacks: tuple[str, ...] | None = None
    disable_fallbacks: bool = False
    num_retries: int | None = None
    timeout: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from.

    Attributes:
        address: the caller's, through proxies that are trusted.
        user_agent: cut to 200 characters.
        traceparent: to have a trace continued; "" for none.
    """

    address: str = ""
    user_agent: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer used, in tokens.

    Attributes:
        prompt: of the prompt, cached ones among them.
        completion: of the answer, reasoning among them.
        cached: of the prompt, read from the provider's cache.
        cache_written: of the prompt, written into it.
        reasoning: of the answer, spent on thinking.
        raw: the provider's `usage`, for the caller and the spend log; {} when it sent none.
        counted: whether the gateway counted the tokens, because the provider did not.
        service_tier: the tier that the answer says it was served at; None when it does not.
        searched: whether the answer cites pages of the web (an annotation of `url_citation`), for
            which some models ask a price of their own.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict)
    counted: bool = False
    service_tier: str | None = None
    searched: bool = False

    @property
    def total(self) -> int:
        """Prompt and answer together."""
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Bill:
    """What one attempt cost.

    Attributes:
        usage: what it used.
        cost: US dollars.
        priced: whether a price is known; else `cost` is 0 and means nothing.
        input_cost: of `cost`, what the prompt cost; None when that is not known.
    """

    usage: Usage
    cost: float = 0.0
    priced: bool = True
    input_cost: float | None = None


@dataclass(slots=True)
class Attempt:
    """One call to one deployment.

    Attributes:
        deployment: which was asked.
        number: 1 for the first attempt of a request.
        started: on the monotonic clock, in seconds.
        started_at: seconds since the epoch.
        first_token: when the first token of a stream came, on the monotonic clock.
        ended: on the monotonic clock; None while it runs.
        failure: why it failed; None while it runs, or when it answered.
        broke_schema: whether it answered, but not in the JSON schema asked for.
        response_id: the provider's id of the answer, "" for none.
        bill: what it cost; None while that is not known, and when nothing was produced.
        stored_answer: the answer, only where the configuration stores answers in spend logs.
        tool_names: of the tools that the answer calls, for LiteLLM's tables of tool use.
    """

    deployment: Deployment
    number: int
    started: float = field(default_factory=time.monotonic)
    started_at: float = field(default_factory=time.time)
    first_token: float | None = None
    ended: float | None = None
    failure: Failure | None = None
    broke_schema: bool = False
    response_id: str = ""
    bill: Bill | None = None
    stored_answer: Any = None
    tool_names: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """What came of it, in one word."""
        if self.broke_schema:
            return "broke-schema"
        return self.failure.kind.value if self.failure else "answered"


@dataclass(slots=True)
class Request:
    """A request on its way.

    Attributes:
        id: LiteLLM's call id, which the caller may choose.
        operation: what is asked for.
        alias: the model that it names.
        body: what goes to a provider: OpenAI's fields, validated, with `model`, without controls.
        size: bytes of the body as it came: no prompt has more tokens than its text has bytes.
        caller: who asks, from `access`.
        controls: what it asks of the gateway.
        client: where it comes from.
        stream: whether the answer is to be streamed.
        files: of a transcription.
        started: on the monotonic clock, in seconds.
        attempts: in order; the last one is the one that answered, if any did.
        is_canary: whether it is one of the gateway's own, to see whether a deployment is back.
        via_litellm: whether LiteLLM's proxy asks on a caller's behalf; it counts its requests.
        stored_request: the body as it came, only where the configuration stores prompts.
    """

    id: str
    operation: Operation
    alias: str
    body: dict[str, Any]
    size: int
    caller: Caller
    controls: Controls = field(default_factory=Controls)
    client: Client = field(default_factory=Client)
    stream: bool = False
    files: tuple[UploadedFile, ...] = ()
    started: float = field(default_factory=time.monotonic)
    attempts: list[Attempt] = field(default_factory=list)
    is_canary: bool = False
    via_litellm: bool = False
    stored_request: Any = None

    @property
    def last(self) -> Attempt | None:
        """The last attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def fell_back(self) -> bool:
        """Whether another alias than the one asked for was asked last."""
        return bool(self.attempts) and self.attempts[-1].deployment.alias != self.alias

    @property
    def cost(self) -> float:
        """US dollars of all attempts so far."""
        return sum(attempt.bill.cost for attempt in self.attempts if attempt.bill is not None)

    @property
    def wasted_cost(self) -> float:
        """US dollars of the attempts before the last."""
        return sum(each.bill.cost for each in self.attempts[:-1] if each.bill is not None)

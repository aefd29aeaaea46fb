"""What crosses the service's boundaries: requests, answers, events, and the model's own JSON."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_TEXT = 4000
"""Characters of German text that one extraction takes."""

MAX_ITEMS = 12
MAX_ITEM_TEXT = 80
MAX_TRANSLATION = 120
"""Bounds of one extraction: they make even a tiny model, which repeats itself, come to an end."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Alias = Annotated[
    str | None,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    Field(
        default=None,
        description="a model that GET /models lists; unset: the one that this service is set to",
        examples=["extraction-model"],
    ),
]


class ExtractRequest(_Strict):
    """Body of POST /extract."""

    text: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)
    ] = Field(description="German text", examples=["Der Hund schläft im Garten, weil er müde ist."])
    model: _Alias = None


class ExplainRequest(_Strict):
    """Body of POST /explain."""

    item: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = (
        Field(description="word, phrase or pattern to explain", examples=["weil"])
    )
    context: Annotated[
        str | None, StringConstraints(strip_whitespace=True, max_length=MAX_TEXT)
    ] = Field(
        default=None,
        description="the sentence it was found in",
        examples=["Der Hund schläft im Garten, weil er müde ist."],
    )
    model: _Alias = None


class Item(_Strict):
    """One thing worth learning."""

    type: Literal["vocabulary", "phrase", "pattern"]
    text: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_ITEM_TEXT)
    ]
    translation: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TRANSLATION)
    ]


class ModelItems(_Strict):
    """What the extraction model must answer."""

    items: Annotated[list[Item], Field(max_length=MAX_ITEMS)]


class Usage(_Strict):
    """Tokens that the provider counted, and what the gateway booked for them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = Field(
        default=0.0,
        description="US dollars; null for an answer of a model without a known price",
    )

    def __add__(self, other: "Usage") -> "Usage":
        """Return the sum; its cost is unknown when one of the two is."""
        known = self.cost_usd is not None and other.cost_usd is not None
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost_usd=(self.cost_usd or 0.0) + (other.cost_usd or 0.0) if known else None,
        )


class Route(_Strict):
    """Who answered and how it came to that: the gateway's x-gateway-* headers."""

    alias: str = Field(description="the model name that answered, after fallbacks")
    model: str | None = Field(default=None, description="the model as LiteLLM writes it")
    deployment: str | None = Field(default=None, description="LiteLLM's id of the deployment")
    attempts: int = Field(default=1, description="calls to deployments, failed ones too")
    fallback_from: str | None = Field(
        default=None, description="the model asked for, when another one answered in its place"
    )
    outcomes: list[str] = Field(
        default_factory=list,
        description="what came of each attempt, in order; the last one is usually `answered`",
    )


_Route = Annotated[
    Route | None,
    Field(
        default=None,
        description="which deployment answered and why; after a repair, to the second call; null "
        "when the gateway does not say",
    ),
]
_Model = Annotated[
    str,
    Field(
        description="the deployment that answered, such as ollama_chat/llama3.2",
        examples=["ollama_chat/llama3.2"],
    ),
]
_RequestId = Annotated[
    str,
    Field(
        description="column litellm_call_id of the call's row in LiteLLM_SpendLogs; "
        "a repair attempt's row ends in -repair"
    ),
]
_Truncated = Annotated[
    bool, Field(description="the model reached its token limit: the text ends early")
]


class ExtractResponse(_Strict):
    """Answer of POST /extract."""

    items: list[Item]
    model: _Model
    usage: Usage
    request_id: _RequestId
    route: _Route = None


class ExplainResponse(_Strict):
    """Answer of POST /explain."""

    explanation: str
    truncated: _Truncated = False
    model: _Model
    usage: Usage
    request_id: _RequestId
    route: _Route = None


class Delta(_Strict):
    """Data of a `delta` event: the next piece of the explanation."""

    text: str


class Done(_Strict):
    """Data of the `done` event, which ends a complete stream."""

    truncated: _Truncated = False
    model: _Model
    usage: Usage
    request_id: _RequestId
    route: _Route = None


class ErrorDetail(_Strict):
    """What went wrong, for a program (code) and for a person (message)."""

    code: str
    message: str
    fields: list[str] | None = Field(
        default=None, description="the request's fields at fault, for code invalid_input"
    )
    request_id: str | None = None
    route: _Route = None


class ErrorBody(_Strict):
    """Body of every answer that is not a success; data of the `error` event."""

    error: ErrorDetail


class ModelName(_Strict):
    """A model that this service's key may use."""

    name: str = Field(description="what a request's `model` may be")
    served_by: list[str] = Field(
        description="the models behind it as LiteLLM writes them, each once; empty when the "
        "gateway does not say",
        examples=[["ollama_chat/llama3.2"]],
    )


class Models(_Strict):
    """Body of GET /models."""

    extraction: str = Field(description="what /extract asks when a request names none")
    explanation: str = Field(description="what /explain asks when a request names none")
    models: list[ModelName]


class RecentRequest(_Strict):
    """An extraction or explanation that ended: what the log says of it, so never a text."""

    time: datetime = Field(description="when it ended")
    path: Literal["/extract", "/explain"]
    status: int | None = Field(description="HTTP status; a stream's is sent before it may break")
    error: str | None = Field(description="the code that the caller got")
    model: str | None = Field(description="the deployment that answered")
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    duration_ms: int
    request_id: str


class RecentRequests(_Strict):
    """Body of GET /requests."""

    requests: list[RecentRequest] = Field(
        description="since the start of the service, newest first"
    )


class Health(_Strict):
    """Body of GET /health and GET /health/ready."""

    status: Literal["healthy"] = "healthy"
    version: str
    gateway: Literal["healthy", "not asked"] = "not asked"

"""What a script may say: answers, virtual upstreams, and rules that make calls fail.

The README has the table of actions with their meaning; the field names here are its left column.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Provider = Literal["openai", "anthropic", "gemini", "huggingface", "ollama"]
ErrorKind = Literal[
    "bad_request",
    "context_window",
    "content_policy",
    "unauthorized",
    "forbidden",
    "not_found",
    "rate_limit",
    "quota",
    "server_error",
    "unavailable",
]
BadJson = Literal["wrong_type", "truncated", "prose"]

Count = Annotated[int, Field(ge=0)]
Nth = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class Part(BaseModel):
    """What every part of a script has in common: unknown names are refused, values stay put."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ToolCall(Part):
    """A tool call to answer with."""

    name: str
    arguments: dict[str, Any] = {}


class Answer(Part):
    """What is answered when nothing goes wrong; what is not given is computed.

    Attributes:
        text: the answer; streamed word by word.
        json_value: `json` in the script, the answer to a request that brings a JSON schema. Without
            it a value that fits the schema is made.
        tool: `auto` calls the tool that the request forces, or its first, unless the last message
            already is a tool's result; `never` answers with text; else the call to make.
        input_tokens: by default a quarter of the prompt's characters.
        output_tokens: by default the number of pieces that the answer is streamed in. Includes
            `reasoning_tokens`.
        cached_tokens: the part of the input tokens that came from the provider's cache.
        reasoning_tokens: the part of the output tokens that nobody sees.
        dimensions: the length of an embedding.
    """

    text: str | None = None
    json_value: Any = Field(default=None, alias="json")
    tool: Literal["auto", "never"] | ToolCall = "auto"
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cached_tokens: Count = 0
    reasoning_tokens: Count = 0
    dimensions: Nth = 8

    def over(self, other: Self) -> Self:
        """Return the other answer with what this one sets put over it."""
        return other.model_copy(
            update={name: getattr(self, name) for name in self.model_fields_set}
        )


class StallAfter(Part):
    """A pause in the middle of an answer."""

    pieces: Count
    seconds: Seconds


class Action(Part):
    """What goes wrong with a call. The README explains each."""

    stall: Seconds = 0
    ms_per_token: Annotated[float, Field(ge=0, le=60_000)] | None = None
    stall_after: StallAfter | None = None

    error: ErrorKind | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    message: str | None = None
    retry_after: Seconds | None = None
    retry_after_date: Seconds | None = None
    headers: dict[str, str] = {}

    close: bool = False
    reset: bool = False
    cut_after: Count | None = None
    end_after: Count | None = None
    reset_after: Count | None = None
    error_after: Count | None = None
    broken_line_after: Count | None = None

    no_usage: bool = False
    bad_json: BadJson | None = None
    empty: bool = False
    model: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether the call is answered with an error status."""
        return self.error is not None or self.status is not None

    @model_validator(mode="after")
    def _one_ending(self) -> Self:
        given = self.model_fields_set
        endings = sorted(given & _ENDINGS)
        if self.refuses:
            endings.append("error" if "error" in given else "status")
        if len(endings) > 1:
            raise ValueError(f"a call ends in one way, not in {len(endings)}: {', '.join(endings)}")
        if endings and endings[0] in {"close", "reset", "error", "status"}:
            pointless = sorted(given - {*endings, *_BEFORE_AN_ANSWER})
            if pointless:
                raise ValueError(
                    f"{endings[0]} sends no answer, so {', '.join(pointless)} cannot hold"
                )
        if "retry_after" in given and "retry_after_date" in given:
            raise ValueError("retry_after and retry_after_date are the same header: give one")
        return self


_ENDINGS = {"close", "reset", "cut_after", "end_after", "reset_after", "error_after"}
_BEFORE_AN_ANSWER = {
    *("stall", "error", "status", "message", "retry_after", "retry_after_date", "headers"),
}


class Match(Part):
    """Which calls a rule is about; all that is given must fit.

    Attributes:
        calls: `model` is what costs tokens (chat, generate, embeddings), `free` the rest (lists of
            models, versions, health), `any` both.
        provider: whose wire format the request speaks.
        upstream: the name of a virtual upstream.
        path: a glob, without the prefix of a virtual upstream.
        model: a glob.
        stream: whether the answer is to be streamed.
        headers: header name → a regular expression found in its value.
        key: a regular expression found in the API key.
        text: a regular expression found in the prompt.
    """

    calls: Literal["model", "free", "any"] = "model"
    provider: Provider | None = None
    upstream: str | None = None
    path: str | None = None
    model: str | None = None
    stream: bool | None = None
    headers: dict[str, re.Pattern[str]] = {}
    key: re.Pattern[str] | None = None
    text: re.Pattern[str] | None = None


class When(Part):
    """Which of the matching calls, counted from 1; without any of it all of them.

    Attributes:
        nth: this one, or these.
        first: how many from the start.
        every: every nth call.
        start: `from` in the script, the first of a range.
        end: `to` in the script, its last; open if left out.
        rate: this share of them, 0 to 1, drawn by the script's seed: the same in every run.
    """

    nth: Nth | list[Nth] | None = None
    first: Nth | None = None
    every: Nth | None = None
    start: Nth | None = Field(default=None, alias="from")
    end: Nth | None = Field(default=None, alias="to")
    rate: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = self.model_fields_set - {"end"}
        if len(kinds) > 1:
            raise ValueError("give one of nth, first, every, from, rate")
        if self.end is not None and (self.start is None or self.end < self.start):
            raise ValueError("to needs a from that is not greater")
        return self


class Rule(Part):
    """What happens to some calls. Of the rules that fit a call the first one holds."""

    name: str | None = None
    match: Match = Match()
    when: When = When()
    do: Action = Action()
    answer: Answer = Answer()

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.do.model_fields_set and not self.answer.model_fields_set:
            raise ValueError("a rule needs do or answer, otherwise it changes nothing")
        return self


class Upstream(Part):
    """A virtual upstream: reached under /u/NAME, or by any path with its key.

    Attributes:
        provider: whose form unknown paths and ambiguous ones (/v1/chat/completions) take.
        key: the API key that leads here.
        models: what it lists.
        stall: seconds before the first byte of each call.
        ms_per_token: milliseconds between two pieces.
        answer: over the script's own.
    """

    provider: Provider | None = None
    key: str | None = None
    models: list[str] | None = None
    stall: Seconds = 0
    ms_per_token: Annotated[float, Field(ge=0, le=60_000)] = 0
    answer: Answer = Answer()


class Script(Part):
    """A whole script. An empty one answers everything and breaks nothing."""

    seed: int = 0
    models: list[str] = ["scripted-model"]
    answer: Answer = Answer()
    upstreams: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")], Upstream] = {}
    rules: list[Rule] = []

    @model_validator(mode="after")
    def _names_that_exist(self) -> Self:
        keys = [each.key for each in self.upstreams.values() if each.key is not None]
        if len(keys) != len(set(keys)):
            raise ValueError(
                "two upstreams have the same key: it is undecided which of them is meant"
            )
        return self

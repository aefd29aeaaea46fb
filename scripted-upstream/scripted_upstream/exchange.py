"""What every wire format is translated from and to: a request, an answer, and its pieces."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from scripted_upstream.script import ErrorKind, Provider

Json = dict[str, Any]
Finish = Literal["stop", "length", "tool"]
Operation = Literal["chat", "generate", "embedding", "free"]


class BadRequestError(ValueError):
    """A request that the real provider would refuse too; the message says why."""


@dataclass(frozen=True)
class Call:
    """An HTTP request, with the prefix of a virtual upstream taken off its path."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: Json


@dataclass(frozen=True)
class Tool:
    """A tool that a request offers.

    Attributes:
        name: its name.
        schema: the JSON schema of its arguments.
        is_answer: the request wants its structured answer as this tool's arguments.
    """

    name: str
    schema: Json
    is_answer: bool = False


@dataclass(frozen=True)
class ParsedCall:
    """What a request asks for, whichever format it came in.

    Attributes:
        operation: `free` is what costs no tokens.
        topic: which free document, or which variant of the operation.
        prompt: all text that the model would read.
        schema: that the answer must fit; {} is any JSON object.
        tool: the tool to call if the script leaves it to the request.
        max_tokens: pieces after which the answer ends with finish reason `length`.
        stop: texts before which the answer ends.
        n: how often it is answered.
        logprobs: how many alternatives each token is to be told with; None for no logprobs.
        with_usage: whether a stream is to end with the token counts.
        inputs: the texts to embed.
    """

    operation: Operation
    model: str = ""
    topic: str = ""
    stream: bool = False
    prompt: str = ""
    schema: Json | None = None
    tools: tuple[Tool, ...] = ()
    tool: Tool | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    logprobs: int | None = None
    with_usage: bool = True
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Usage:
    """Tokens; `cached` is a part of the input, `reasoning` a part of the output."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Reply:
    """An answer before it takes a provider's form.

    Attributes:
        number: of the request; ids are made of it.
        model: who claims to have answered.
        pieces: the text, or the arguments of `tool`, as it is streamed.
        tool: the name of the tool that is called.
        usage: what is reported; None leaves it out.
        vectors: embeddings.
        models: what the upstream lists.
    """

    number: int
    model: str
    created: int
    pieces: tuple[str, ...] = ()
    tool: str | None = None
    finish: Finish = "stop"
    usage: Usage | None = None
    vectors: tuple[tuple[float, ...], ...] = ()
    models: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The whole answer, or the arguments as JSON."""
        return "".join(self.pieces)


@dataclass(frozen=True)
class Chunk:
    """What is sent at once; `piece` says that it carries a piece of the answer."""

    data: bytes
    piece: bool = False


@dataclass(frozen=True)
class Failure:
    """An error to be put in a provider's form."""

    kind: ErrorKind
    status: int
    message: str


class Format(Protocol):
    """A provider's wire format.

    Attributes:
        provider: whose it is.
        stream_type: the content type of its streams.
        broken: a line of a stream that cannot be read.
    """

    provider: Provider
    stream_type: str
    broken: bytes

    def knows(self, call: Call) -> bool:
        """Return whether the provider has such an endpoint."""

    def read(self, call: Call) -> ParsedCall:
        """Return what a request that it knows asks; raises BadRequestError."""

    def document(self, ask: ParsedCall, reply: Reply) -> Json:
        """Return the body of an answer that is not streamed."""

    def stream(self, ask: ParsedCall, reply: Reply) -> Iterator[Chunk]:
        """Yield an answer piece by piece."""

    def failure(self, failure: Failure) -> Json:
        """Return the body of an error."""

    def failure_chunk(self, failure: Failure) -> bytes:
        """Return an error as it comes in the middle of a stream."""

    def key(self, headers: Mapping[str, str]) -> str:
        """Return the API key that a request brings, or ""."""

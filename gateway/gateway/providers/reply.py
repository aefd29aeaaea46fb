"""What a provider gives back: a plain answer, bytes of a file, or a stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.deployment import Deployment
    from gateway.request import Request, Usage


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for one attempt.

    Attributes:
        connect: for the connection.
        answer: for the whole of a plain answer; of a stream for its first event, and between two.
    """

    connect: float
    answer: float


@dataclass(slots=True)
class PlainReply:
    """An answer that came whole.

    Attributes:
        data: the JSON object, in OpenAI's form; None when `content` holds something else.
        content: what is not JSON (speech, a transcription as text).
        content_type: of `content`.
        usage: what it used.
        headers: the provider's, in lower case: those with limits and ids.
    """

    data: dict[str, Any] | None
    usage: Usage
    content: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class StreamReply(ABC):
    """An answer that comes in chunks of OpenAI's form (`chat.completion.chunk`).

    Iterate to its end or `close` it, in any case. `usage` is right after both: the provider's, or
    what was counted of the text so far.

    Attributes:
        headers: the provider's, in lower case.
    """

    headers: Mapping[str, str]

    @abstractmethod
    def __aiter__(self) -> StreamReply:
        """Return itself."""

    @abstractmethod
    async def __anext__(self) -> dict[str, Any]:
        """Return the next chunk, without the usage that the caller did not ask for.

        Raises:
            AttemptFailedError: the stream broke, was silent for too long, or ended without a
                finish_reason.
        """

    @abstractmethod
    async def close(self) -> None:
        """End it: nothing more is wanted, and the connection may be dropped."""

    @property
    @abstractmethod
    def usage(self) -> Usage:
        """What was used so far."""


class Provider(ABC):
    """Makes one call to one deployment."""

    @abstractmethod
    async def ask(
        self, deployment: Deployment, request: Request, timeouts: Timeouts
    ) -> PlainReply | StreamReply:
        """Ask a deployment once.

        A stream is returned as soon as the provider's headers are there, before its first chunk.

        Args:
            deployment: which is asked.
            request: its `body` and `files` are sent; it is not changed.
            timeouts: of this attempt.

        Raises:
            AttemptFailedError: the deployment gave no answer.
        """

    @abstractmethod
    async def close(self) -> None:
        """Drop all connections."""

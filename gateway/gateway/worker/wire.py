"""What the gateway and its worker say to each other, over HTTP on a Unix socket.

A request is one line of JSON (`WorkerCall`), then the bytes of its files in order. The answer
is 200 with OpenAI's JSON, a file, or server-sent events; or `FAILED` with a `Failure` as JSON. Of
the events, those without a name are chunks; `failure` ends a stream that broke; `usage`, which
precedes [DONE], says what it used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.request import Operation
from gateway.routing.failure import Failure, FailureKind, Refusal

FAILED = 502
"""HTTP's status of an answer that is a `Failure`, whatever the provider's own was."""

COUNTED = "x-usage-counted"
PROVIDER_HEADERS = "x-provider-headers"
FAILURE_EVENT = b"event: failure\ndata: "
USAGE_EVENT = b"event: usage\ndata: "
CHUNK = b"data: "
END = b"\n\n"
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a transcription, without its bytes."""

    field: str
    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class WorkerCall:
    """One call.

    Attributes:
        id: of the call, to stop a stream by.
        request_id: to send to the provider as x-client-request-id, the same in every attempt.
        operation: what is asked for.
        provider: LiteLLM's name of it.
        parameters: of the deployment, keyword arguments of LiteLLM's functions.
        arguments: of the request, the same.
        stream: whether the answer is to be streamed.
        connect: seconds for the connection.
        answer: seconds for a plain answer; of a stream for its first event, and between two.
        files: of a transcription; their bytes follow.
    """

    id: str
    request_id: str
    operation: Operation
    provider: str
    parameters: dict[str, Any] = field(repr=False)
    arguments: dict[str, Any] = field(repr=False)
    stream: bool
    connect: float
    answer: float
    files: tuple[File, ...] = ()


def encode_call(ask: WorkerCall) -> bytes:
    """Return the line of JSON.

    Raises:
        TypeError: a value is not JSON.
    """
    return orjson.dumps(ask) + b"\n"


def decode_call(line: bytes) -> WorkerCall:
    """Return what `encode_call` wrote."""
    found = orjson.loads(line)
    found["operation"] = Operation(tuple(found["operation"]))
    found["files"] = tuple(File(**each) for each in found["files"])
    return WorkerCall(**found)


def encode_failure(failure: Failure) -> bytes:
    """Return a failure as JSON."""
    return orjson.dumps(failure)


def decode_failure(content: bytes) -> Failure:
    """Return what `encode_failure` wrote."""
    found = orjson.loads(content)
    found["kind"] = FailureKind(found["kind"])
    found["refusal"] = Refusal(found["refusal"]) if found["refusal"] else None
    return Failure(**found)

"""The line of a request in the log: which deployment answered, how, and at what cost."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from gateway.access.caller import Caller
from gateway.config.deployment import Deployment, Protocol
from gateway.http.request_log import RequestLog
from gateway.request import Attempt, Bill, Operation, Request, Usage
from gateway.routing.failure import Failure, FailureKind

OLLAMA = Deployment("o1", "extraction-model", "ollama_chat", "llama3.2", Protocol.OLLAMA)
OPENAI = Deployment("a1", "backup", "openai", "gpt", Protocol.OPENAI)


@pytest.fixture
def request_() -> Request:
    """Return a request that Ollama did not take and OpenAI answered at the second try."""
    down = Failure(FailureKind.UNREACHABLE, message="a prompt that a provider quotes")
    made = Request("id-1", Operation.CHAT, "extraction-model", {}, 100, Caller())
    made.attempts += [
        Attempt(OLLAMA, 1, failure=down),
        Attempt(OPENAI, 2, broke_schema=True, bill=Bill(Usage(8, 2), 0.25)),
        Attempt(OPENAI, 3, bill=Bill(Usage(10, 3), 0.5)),
    ]
    return made


def test_a_json_line_holds_every_field(request_: Request) -> None:
    """A JSON line of the log holds every field, and its cost includes discarded answers."""
    line = json.loads(RequestLog(as_json=True).line(request_, 200))

    assert line["cost"] == 0.75
    assert line["outcomes"] == ["unreachable", "broke-schema", "answered"]
    assert (line["asked"], line["alias"], line["fallback"]) == ("extraction-model", "backup", True)
    assert (line["request_id"], line["prompt_tokens"], line["status"]) == ("id-1", 10, "ok")
    assert (line["level"], line["component"], line["message"]) == ("INFO", "gateway", "request")
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize("end", ["\n", "\r", "\x1b[2K", "\u2028", "\x85", "\t"])
def test_a_plain_line_is_one_line(request_: Request, end: str) -> None:
    """A plain line of the log stays one printable line, whatever a caller's alias holds."""
    request_.alias = f"böse{end}fallback=false"
    line = RequestLog(as_json=False).line(request_, 503)

    assert line.isprintable()
    assert line.splitlines() == [line]
    assert 'status="error 503"' in line


def test_a_plain_value_is_not_quoted(request_: Request) -> None:
    """Values without special characters are not quoted in a plain line of the log."""
    line = RequestLog(as_json=False).line(request_, 200)

    assert " outcomes=unreachable,broke-schema,answered cost=0.75 prompt_tokens=10 " in line
    assert "asked=extraction-model alias=backup deployment=a1" in line


def test_an_unknown_price_is_no_cost(request_: Request) -> None:
    """A request whose price is unknown is logged without a cost, not with 0."""
    request_.attempts[-1].bill = Bill(Usage(1, 1), priced=False)

    assert " cost=" not in RequestLog(as_json=False).line(request_, 200)
    assert json.loads(RequestLog(as_json=True).line(request_, 200))["cost"] is None


def test_no_providers_word_is_logged(request_: Request) -> None:
    """A provider's message is not logged, as it may quote prompts or keys."""
    for as_json in (False, True):
        assert "quotes" not in RequestLog(as_json=as_json).line(request_, 200)


async def test_lines_are_written_together_and_none_for_a_canary(
    request_: Request, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines of the log are written together at a flush, and canary requests have none."""
    log = RequestLog(as_json=False)
    log.finished(request_, 200)
    log.finished(request_, 200)
    request_.is_canary = True
    log.finished(request_, 200)
    assert capsys.readouterr().err == ""
    log.flush()
    assert len(capsys.readouterr().err.splitlines()) == 2
    log.flush()
    assert capsys.readouterr().err == ""

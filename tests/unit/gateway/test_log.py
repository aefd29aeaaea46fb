"""What is logged, for people and as JSON."""

from __future__ import annotations

import io
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.log import Log, PrintedLines, tell_request_ids

if TYPE_CHECKING:
    import pytest


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An event of several lines and with quotes stays one line of JSON."""
    Log(as_json=True)('first "line"\nsecond', "ERROR")
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    found = json.loads(written)
    assert found.pop("timestamp").endswith("+00:00")
    assert found == {
        "message": 'first "line"\nsecond',
        "level": "ERROR",
        "component": "gateway",
    }


def test_people_get_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Without JSON a line says who speaks and what."""
    Log()("serving")
    assert capsys.readouterr().err == "gateway: serving\n"


def test_printed_lines_become_events(capsys: pytest.CaptureFixture[str]) -> None:
    """What LiteLLM prints, in colour and piecemeal, is an event; a logger's JSON passes through."""
    target = io.StringIO()
    lines = PrintedLines(target, Log(as_json=True))
    print("\x1b[32mSet models:", end="", file=lines)
    print(' a\x1b[0m\n\n{"level": "INFO"}', file=lines)
    assert json.loads(capsys.readouterr().err)["message"] == "Set models: a"
    assert target.getvalue() == '{"level": "INFO"}\n'


def test_a_record_of_logging_carries_its_requests_id() -> None:
    """LiteLLM's lines have it as a field while a request is handled, and none outside of one."""
    before = logging.getLogRecordFactory()
    ids = ["id-1", ""]
    try:
        tell_request_ids(lambda: ids.pop(0))
        make = logging.getLogRecordFactory()
        records = [make("a", logging.INFO, "p", 1, "m", (), None) for _ in range(2)]
    finally:
        logging.setLogRecordFactory(before)
    assert getattr(records[0], "request_id", None) == "id-1"
    assert not hasattr(records[1], "request_id")


def test_child_processes_can_be_given_the_output() -> None:
    """The stand-in has the file number of the real output: Prisma's client passes it on."""
    with Path(os.devnull).open("w", encoding="utf-8") as output:
        assert PrintedLines(output, Log()).fileno() == output.fileno()

"""What is logged, for people and as JSON."""

from __future__ import annotations

import json
import logging

import pytest

from gateway.log import set_up_logging


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An event of several lines and with quotes stays one line of JSON."""
    set_up_logging(as_json=True)
    logging.getLogger("gateway.any").error('first "line"\nsecond')
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
    set_up_logging(as_json=False)
    logging.getLogger("gateway.any").info("serving")
    assert capsys.readouterr().err == "gateway: serving\n"

"""Log lines, ours and Ollama's, and the look at the running processes."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest

from model_server import logs
from model_server.processes import runs

OURS = '[GIN] 2026/11/24 - 11:14:15 | 200 |  82.7µs |  127.0.0.1 | GET      "/api/ps"\n'
FOREIGN = '[GIN] 2026/11/24 - 11:14:15 | 200 |  4.1s |  172.18.0.3 | POST     "/api/chat"\n'
FAILED = '[GIN] 2026/11/24 - 11:14:15 | 500 |  82.7µs |  127.0.0.1 | GET      "/api/ps"\n'
METADATA = "llama_model_loader: - kv   0:  general.architecture str  = llama\n"
WARNING = 'time=2026-11-24T11:30:25.591Z level=WARN source=x.go:1 msg="low memory"\n'


def relayed(capsys: pytest.CaptureFixture[str], *, as_json: bool, everything: bool) -> list[str]:
    """Return what becomes of Ollama's lines."""
    logs.configure(as_json=as_json)
    logs.relay(
        io.StringIO(OURS + FOREIGN + FAILED + METADATA + "\n" + WARNING), everything=everything
    )
    return capsys.readouterr().out.splitlines(keepends=True)


def test_ollama_is_heard_and_our_own_looking_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    """Its lines pass unchanged, but for our own requests that went well and models' metadata."""
    assert relayed(capsys, as_json=False, everything=False) == [FOREIGN, FAILED, WARNING]


def test_everything_is_heard_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    """For debugging no line is held back."""
    assert len(relayed(capsys, as_json=False, everything=True)) == 5


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With JSON_LOGS Ollama's lines are objects too, with the level that they name."""
    found = [json.loads(each) for each in relayed(capsys, as_json=True, everything=False)]

    assert [each["level"] for each in found] == ["INFO", "INFO", "WARNING"]
    assert {each["logger"] for each in found} == {"ollama"}
    assert found[2]["message"] == WARNING.strip()


@pytest.mark.parametrize("as_json", [False, True])
def test_our_own_lines_have_time_and_level(
    capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    """A line of ours says when, how grave, and what; an error brings its traceback along."""
    logs.configure(as_json=as_json)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("model_server.x").exception("it broke")
    printed = capsys.readouterr().out

    assert "it broke" in printed
    assert "ZeroDivisionError" in printed
    if as_json:
        line = json.loads(printed)
        assert (line["level"], line["component"]) == ("ERROR", "ollama")
        assert line["timestamp"].endswith("+00:00")
    else:
        assert "ERROR model-server: it broke" in printed


def test_a_model_runs_when_a_process_has_its_weights(tmp_path: Path) -> None:
    """A runner that was started with that digest counts, another model's does not."""
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cmdline").write_bytes(b"ollama\0runner\0--model\0/x/sha256-aa\0")

    assert runs("aa", tmp_path)
    assert not runs("bb", tmp_path)

"""The command: exit codes, the bar, the table, the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from backend_stub.evaluation import entries
from backend_stub.evaluation.__main__ import main
from backend_stub.evaluation.entries import Tag, load
from backend_stub.evaluation.report import Bar, prompt_fingerprint
from support.fake_gateway import DEPLOYMENT, FakeGateway, completion

from .conftest import Evaluate, found, perfect


def test_pass(evaluate: Evaluate, gateway: FakeGateway) -> None:
    """A model at or above the bar ends with 0 and says what it reached."""
    gateway.will(*perfect())

    ran = evaluate()

    assert ran.code == 0
    assert "passed: recall 0.50, precision 0.40 and valid json 0.95 are reached" in ran.out


@pytest.mark.parametrize("json_flag", [(), ("--json",)])
def test_below(evaluate: Evaluate, gateway: FakeGateway, json_flag: tuple[str, ...]) -> None:
    """A model below the bar ends with 1 and says in what."""
    gateway.will(*[completion(found(entry, share=0.3)) for entry in load()])

    ran = evaluate(*json_flag)

    assert ran.code == 1
    assert "recall 0.3" in ran.out
    assert "is below 0.50" in ran.out
    assert "is below 0.40" not in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines())


@pytest.mark.parametrize(
    ("option", "variable"),
    [
        ("--min-recall", "EVALUATION_MIN_RECALL"),
        ("--min-precision", "EVALUATION_MIN_PRECISION"),
        ("--min-valid-json", "EVALUATION_MIN_VALID_JSON"),
    ],
)
def test_bar(
    evaluate: Evaluate,
    gateway: FakeGateway,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    variable: str,
) -> None:
    """The bar is an option's, else its variable's, else the default; at the bar is not below."""
    name = option.removeprefix("--min-").replace("-", "_")
    gateway.will(*perfect(1) * 4)
    one = ("--sentences", "1", "--json")

    assert evaluate(*one).json["bar"][name] == getattr(Bar(), name)
    monkeypatch.setenv(variable, "")
    assert evaluate(*one).json["bar"][name] == getattr(Bar(), name)
    monkeypatch.setenv(variable, "0.7")
    assert evaluate(*one).json["bar"][name] == 0.7
    ran = evaluate(*one, option, "1")
    assert ran.json["bar"][name] == 1
    assert ran.code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("m", "--sentences", "0"),
        ("m", "--sentences", "many"),
        ("m", "--concurrency", "-1"),
        ("m", "--min-recall", "50"),
        ("m", "--min-precision", "high"),
        ("m", "--rec", "x"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that cannot be used end with 2 before anything is asked."""
    with pytest.raises(SystemExit) as caught:
        main(arguments, transport=FakeGateway())

    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_wrong_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable of the bar that is not a share ends with 2 and names the value."""
    monkeypatch.setenv("EVALUATION_MIN_RECALL", "50%")

    with pytest.raises(SystemExit) as caught:
        main(["m"], transport=FakeGateway())

    assert caught.value.code == 2
    assert "--min-recall: '50%' is not a share from 0 to 1" in capsys.readouterr().err


def test_no_key(evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key there is no verdict, and the variable is named."""
    monkeypatch.delenv("LITELLM_API_KEY")

    ran = evaluate()

    assert (ran.code, ran.out) == (2, "")
    assert "LITELLM_API_KEY is not set" in ran.err


def test_interrupted(
    evaluate: Evaluate, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends with 2 and one line, no traceback."""

    async def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeGateway, "handle_async_request", interrupt)

    ran = evaluate()

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.strip() == "extraction-model: no verdict, interrupted"
    assert not gateway.requests


def test_table(evaluate: Evaluate, gateway: FakeGateway) -> None:
    """The table has a row for all, each level and each tag, and fits 80 columns."""
    gateway.will(*perfect(x_litellm_response_cost="0.0001"))

    lines = evaluate().out.splitlines()

    assert lines[0] == f"extraction-model, answered by {DEPLOYMENT} (60)"
    rows = {line.split()[0]: line.split()[1:] for line in lines if line}
    assert rows["all"] == ["60", "1.00", "1.00", "1.00"]
    assert {"A1", "A2", "B1", "B2", *get_args(Tag)} <= set(rows)
    assert "660 + 420 tokens, 0.006000 USD" in "\n".join(lines)
    assert all(len(line) <= 80 for line in lines)


def test_progress(evaluate: Evaluate, gateway: FakeGateway) -> None:
    """Progress goes to stderr, a line for each sentence, and stdout has the JSON alone."""
    gateway.will(*perfect(2))

    ran = evaluate("--sentences", "2", "--json")

    assert [line.split(":")[0] for line in ran.err.splitlines()] == [
        "1/2 articles-1",
        "2/2 reflexive-4",
    ]
    assert ran.json["sentences"] == 2


def test_record(evaluate: Evaluate, gateway: FakeGateway, tmp_path: Path) -> None:
    """The record names model, deployment, date, set and prompt, and is what --json prints."""
    gateway.will(*perfect(x_litellm_model_id="abc"))
    file = tmp_path / "extraction-model.json"
    file.write_text("an old one")

    ran = evaluate("--json", "--record", str(file))

    record = json.loads(file.read_text(encoding="utf-8"))
    assert record == ran.json
    assert record["format"] == 1
    assert record["model"] == "extraction-model"
    assert record["deployments"] == {DEPLOYMENT: 60}
    assert record["deployment_ids"] == ["abc"]
    assert record["date"].endswith("+00:00")
    assert record["sentence_set"] == entries.fingerprint()
    assert record["prompt"] == prompt_fingerprint()
    assert record["passed"] is True
    assert record["below"] == []
    assert set(record["tags"]) == set(get_args(Tag))
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_record_that_cannot_be_written(
    evaluate: Evaluate, gateway: FakeGateway, tmp_path: Path
) -> None:
    """A record that cannot be written ends with 2, but the figures are printed anyway."""
    gateway.will(*perfect(1))

    ran = evaluate("--sentences", "1", "--record", str(tmp_path / "missing" / "x.json"))

    assert ran.code == 2
    assert "cannot be written (No such file or directory)" in ran.err
    assert "passed" in ran.out


def test_prompt_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another prompt has another fingerprint, which distinguishes an old record from a new one."""
    before = prompt_fingerprint()
    monkeypatch.setattr("backend_stub.prompts._EXTRACT", "Du bist Bäcker.")

    assert prompt_fingerprint() != before

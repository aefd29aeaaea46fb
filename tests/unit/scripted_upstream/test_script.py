"""What is said of a script that is wrong, and that the ready ones are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripted_upstream.load import ScriptError, read, read_file
from scripted_upstream.script import Action, Answer, Match, Script, Upstream, When

PART = Path(__file__).resolve().parents[3] / "scripted-upstream"
READY = sorted((PART / "scripts").glob("*.yaml"))


def problem(text: str) -> str:
    """Return the only thing that is wrong with a script."""
    with pytest.raises(ScriptError) as raised:
        read(text)
    (found,) = raised.value.problems
    return str(found)


def test_empty() -> None:
    """An empty script, or one of comments, is one that breaks nothing."""
    assert read("") == read("# nothing\n") == Script()


def test_json_is_yaml() -> None:
    """A script may be JSON."""
    assert read('{"rules": [{"do": {"status": 500}}]}').rules[0].do.status == 500


def test_unknown_name() -> None:
    """A name that does not exist is shown with its line, its neighbour and all that exist."""
    said = problem("seed: 1\nrules:\n  - do:\n      statuss: 500\n")

    assert said.startswith("line 4: rules[0].do.statuss: there is no 'statuss' here")
    assert "did you mean 'status'?" in said
    assert "allowed: stall, ms_per_token," in said


def test_unknown_value() -> None:
    """A value out of a list is shown with its line and the list."""
    said = problem("rules:\n  - match: {provider: opena}\n    do: {reset: true}\n")

    assert said.startswith("line 2: rules[0].match.provider:")
    assert "(found opena)" in said
    assert said.endswith("allowed: openai, anthropic, gemini, huggingface, ollama")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{do: {status: 200}}]", "greater than or equal to 400 (found 200)"),
        ("rules: [{do: {stall: -1}}]", "greater than or equal to 0 (found -1)"),
        ("rules: [{match: {key: '('}, do: {reset: true}}]", "valid regular expression (found ()"),
        ("rules: [{do: {reset: true, close: true}}]", "ends in one way, not in 2: close, reset"),
        ("rules: [{do: {status: 500, empty: true}}]", "status sends no answer, so empty cannot"),
        ("rules: [{do: {retry_after: 1, retry_after_date: 1, status: 429}}]", "the same header"),
        ("rules: [{when: {first: 1, every: 2}, do: {reset: true}}]", "give one of nth, first"),
        ("rules: [{when: {from: 3, to: 2}, do: {reset: true}}]", "a from that is not greater"),
        ("rules: [{when: {to: 2}, do: {reset: true}}]", "to needs a from"),
        ("rules: [{match: {model: x}}]", "a rule needs do or answer"),
        ("upstreams: {a: {key: k}, b: {key: k}}", "two upstreams have the same key"),
        ("upstreams: {a/b: {}}", "should match pattern"),
        ("seed: 1\nseed: 2", "line 2: seed: is given twice"),
        ("rules: [{do: {reset: true, reset: false}}]", "rules[0].do.reset: is given twice"),
        ("rules: 3", "line 1: rules: input should be a valid list (found 3)"),
        ("- a", "input should be a valid dictionary or instance of Script"),
        ("seed: 1\nrules: [", "line 2: script: is not YAML"),
        ("? [a]\n: b", "is not YAML: found unhashable key"),
        ("&a [*a]", "valid dictionary"),
        ("\x00", "is not YAML"),
    ],
)
def test_wrong(text: str, said: str) -> None:
    """What cannot be meant is refused with the reason."""
    assert said in problem(text)


def test_all_problems_at_once() -> None:
    """Everything that is wrong is said, in the order of the lines."""
    with pytest.raises(ScriptError) as raised:
        read("rules:\n  - do: {status: 1}\n  - do: {reset: maybe}\n")

    assert [each.line for each in raised.value.problems] == [2, 3]


def test_missing_file(tmp_path: Path) -> None:
    """A script that is not there is an error that names it."""
    with pytest.raises(ScriptError, match="cannot be read"):
        read_file(tmp_path / "none.yaml")


@pytest.mark.parametrize("file", READY, ids=[each.name for each in READY])
def test_ready_scripts(file: Path) -> None:
    """Each ready script can be used, has rules, and begins with what it rehearses."""
    text = file.read_text(encoding="utf-8")

    assert read(text).rules
    assert text.startswith("# ")
    assert "Rehearses:" in text.partition("rules:")[0].replace("\n# ", " ")


def test_readme_has_every_field() -> None:
    """The README's tables name every field of a script."""
    readme = (PART / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)", readme))

    for part in (Action, Answer, Match, Upstream, When, Script):
        fields = {field.alias or name for name, field in part.model_fields.items()}
        assert fields <= named, f"the README does not mention {fields - named} of {part.__name__}"
    assert {file.stem for file in READY} <= set(re.findall(r"`([a-z-]+)\.yaml`", readme))

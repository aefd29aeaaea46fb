"""How findings are reported."""

from __future__ import annotations

import json

from gateway.doctor import report
from gateway.doctor.finding import Finding, Repair

REPAIR = Repair("clean-env", ".env", "clean .env", (1, 3))
FOUND = [
    ("unclean_lines", Finding("lines", "CRLF", "save it", REPAIR)),
    ("clock", Finding("clock", "two\nlines", "set it")),
]


def test_each_finding_has_evidence_and_fix() -> None:
    """People read what, what was seen and what to do, then how many and what --fix can do."""
    text = report.as_text(FOUND, ["the moon"], 30)

    assert text.startswith("1. lines\n   seen: CRLF\n   fix:  save it\n")
    assert "not checked: the moon" in text
    assert text.endswith("2 things are wrong; ./run doctor --fix mends 1, asking first")


def test_nothing_wrong_says_how_much_was_looked_at() -> None:
    """Silence could also mean that nothing was checked."""
    assert report.as_text([], [], 30) == "nothing wrong found; 30 checks"


def test_programs_get_an_object() -> None:
    """JSON names the check of each finding, its repair or null, and what was not checked."""
    document = json.loads(report.as_json(FOUND, ["the moon"]))

    assert [each["check"] for each in document["findings"]] == ["unclean_lines", "clock"]
    assert document["findings"][0]["repair"]["lines"] == [1, 3]
    assert document["findings"][1]["repair"] is None
    assert document["not_checked"] == ["the moon"]


def test_a_repair_is_one_line_reported_once() -> None:
    """./run reads action, target, lines and question, with tabs between."""
    assert report.repairs([*FOUND, FOUND[0]]) == "clean-env\t.env\t1,3\tclean .env\n"

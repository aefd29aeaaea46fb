"""What `gateway spend`, `gateway key` and `gateway check` print."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from gateway.key_report import access
from gateway.problems import ConfigurationError
from gateway.settings import load_settings
from gateway.spend import SpendRow, dollars, total
from gateway.spend_report import as_json, print_table

ROWS = [
    SpendRow(
        "2026-11-24", "extraction-model-openai", "backend-stub", 2, 1, 13, 5, Decimal("0.00000495")
    ),
    SpendRow("2026-11-23", "extraction-model", "master key", 1, 0, 1100, 700, Decimal(0)),
]


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        ("0.00000495", "0.00000495"),
        ("1E-10", "0.0000000001"),
        ("0", "0"),
        ("12.50", "12.5"),
        ("100", "100"),
    ],
)
def test_cost_is_shown_with_all_its_digits(cost: str, text: str) -> None:
    """No digit is lost, and small costs are no 1E-7."""
    assert dollars(Decimal(cost)) == text


def test_total_adds_up() -> None:
    """The last line is the sum of all rows."""
    summed = total(ROWS)
    assert (summed.requests, summed.failed, summed.prompt_tokens) == (3, 1, 1113)
    assert summed.cost == Decimal("0.00000495")


def test_json_keeps_costs_as_text() -> None:
    """A program gets the exact decimal, for each row and in total."""
    data = json.loads(as_json(ROWS))
    assert data["rows"][0]["cost"] == "0.00000495"
    assert data["total"]["completion_tokens"] == 705


def test_table_shows_rows_and_total(capsys: pytest.CaptureFixture[str]) -> None:
    """The table holds every row in one line, and the total."""
    print_table(ROWS, 30)
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if "extraction-model-openai" in line)
    assert "backend-stub" in row
    assert "0.00000495" in row
    assert any("total" in line and "1,113" in line for line in lines)


def test_empty_table_is_friendly(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a request there is a sentence instead of an empty table."""
    print_table([], 7)
    assert "no request was recorded in the last 7 days" in capsys.readouterr().out


def test_key_lines_can_be_evaluated_by_a_shell() -> None:
    """The first two lines export address and key, quoted; the rest are comments."""
    settings = load_settings({"BACKEND_VIRTUAL_KEY": "sk-it's"})
    lines = access(settings, master=False, base_url="http://127.0.0.1:4001").as_shell().splitlines()
    assert lines[0] == "export OPENAI_BASE_URL=http://127.0.0.1:4001/v1"
    assert lines[1] == """export OPENAI_API_KEY='sk-it'"'"'s'"""
    assert all(line.startswith("#") for line in lines[2:])


def test_master_key_is_only_shown_when_asked_for() -> None:
    """Without --master it is the backend's key."""
    settings = load_settings({"BACKEND_VIRTUAL_KEY": "sk-b", "LITELLM_MASTER_KEY": "sk-m"})
    assert json.loads(access(settings, master=False, base_url=None).as_json())["api_key"] == "sk-b"
    assert json.loads(access(settings, master=True, base_url=None).as_json())["api_key"] == "sk-m"


def test_missing_key_names_its_variable() -> None:
    """Where no key is set, the variable to set is named."""
    with pytest.raises(ConfigurationError, match="BACKEND_VIRTUAL_KEY"):
        access(load_settings({}), master=False, base_url=None)

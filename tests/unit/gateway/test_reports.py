"""What `gateway spend`, `gateway key` and `gateway check` print."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest

from gateway.config.problems import ConfigurationError
from gateway.config.settings import load_settings
from gateway.keys.env_lines import access
from gateway.spend.chart import svg
from gateway.spend.period import Period, period
from gateway.spend.query import Spend, Sums, dollars, summed
from gateway.spend.report import as_csv, as_json, parse_by, print_table, sparkline

NOVEMBER = Period(date(2026, 11, 22), date(2026, 11, 24))
TODAY = date(2026, 11, 24)


def cell(day: str, alias: str, key: str, sums: Sums) -> tuple[dict[str, str], Sums]:
    """Return what the database has for one day, alias, model and key."""
    return {"day": day, "alias": alias, "model": f"{alias}-1", "key": key}, sums


CELLS = [
    cell("2026-11-24", "openai", "anna", Sums(2, 1, 13, 5, Decimal("0.00000495"), 1, 0, 2)),
    cell("2026-11-24", "openai", "bert", Sums(1, 0, 1, 1, Decimal("0.1"))),
    cell("2026-11-22", "ollama", "anna", Sums(1, 0, 1100, 700, Decimal(0), 0, 1, 0)),
]


def report(*by: str) -> Spend:
    """Return the cells as the report that was asked for."""
    return summed(CELLS, NOVEMBER, by)


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


@pytest.mark.parametrize("by", [("day",), ("alias",), ("key", "model"), ("day", "alias", "key")])
def test_the_total_is_the_sum_of_the_rows_however_they_are_summed(by: tuple[str, ...]) -> None:
    """No request and no digit is lost or counted twice."""
    spend = report(*by)
    assert spend.total == sum((sums for _, sums in CELLS), Sums())
    assert spend.total.cost == Decimal("0.10000495") == sum(spend.daily.values())


def test_rows_are_summed_by_what_is_asked_for() -> None:
    """Newest day first, then the costliest."""
    assert [row.names for row in report("day", "key").rows] == [
        ("2026-11-24", "bert"),
        ("2026-11-24", "anna"),
        ("2026-11-22", "anna"),
    ]
    anna = next(row for row in report("key").rows if row.names == ("anna",))
    assert (anna.sums.requests, anna.sums.prompt_tokens) == (3, 1113)


def test_json_keeps_costs_as_text() -> None:
    """A program gets the exact decimal, for each row and in total, and how many rows are marked."""
    data = json.loads(as_json(report("key")))
    assert (data["from"], data["to"], data["by"]) == ("2026-11-22", "2026-11-24", ["key"])
    assert data["rows"][0] == {
        "key": "bert",
        "requests": 1,
        "failed": 0,
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "cost": "0.1",
        "usage_counted": 0,
        "unpriced": 0,
        "reconciled": 0,
    }
    assert (data["total"]["cost"], data["total"]["unpriced"]) == ("0.10000495", 1)


def test_csv_has_a_line_for_each_row_and_no_formula() -> None:
    """A spreadsheet sums the column to the total; a key's name is never run by it."""
    evil = [cell("2026-11-24", "openai", "=HYPERLINK(1)", Sums(1, cost=Decimal(1)))]
    rows = list(csv.DictReader(io.StringIO(as_csv(summed(CELLS + evil, NOVEMBER, ("key",))))))
    assert sum(Decimal(row["cost"]) for row in rows) == Decimal("1.10000495")
    assert rows[0]["key"] == "'=HYPERLINK(1)"


def test_table_shows_rows_marks_total_and_days(capsys: pytest.CaptureFixture[str]) -> None:
    """Each row is one line, marked where a price is missing or usage was counted or reconciled."""
    print_table(report("day", "alias", "key"))
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if "anna" in line and "openai" in line)
    assert "0.00000495" in row
    assert "1 counted, 2 reconciled" in row
    assert any("ollama" in line and "1 unpriced" in line for line in lines)
    assert any("total" in line and "1,114" in line and "0.10000495" in line for line in lines)
    assert "per day ▁▁█ 2026-11-22 to 2026-11-24" in lines[-1]


def test_bars_show_small_costs_and_many_days() -> None:
    """A cost above 0 is never drawn as none, and a year fits on a line."""
    assert sparkline([Decimal(0), Decimal("0.0001"), Decimal(50), Decimal(100)]) == "▁▂▅█"
    assert sparkline([Decimal(0)] * 3) == "▁▁▁"
    assert len(sparkline([Decimal(1)] * 365)) <= 60


def test_empty_table_is_friendly(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a request there is a sentence instead of an empty table."""
    print_table(summed([], NOVEMBER, ("day",)))
    assert "no request was recorded in 2026-11-22 to 2026-11-24" in capsys.readouterr().out


def test_the_chart_has_title_axis_units_legend_and_the_right_heights() -> None:
    """A bar is as high as its cost on the axis, and every name of the legend is escaped."""
    strange = cell("2026-11-22", "<b> & co", "anna", Sums(1, cost=Decimal("0.05")))
    root = ET.fromstring(svg(summed([*CELLS, strange], NOVEMBER, ("day", "alias"))))
    space = "{http://www.w3.org/2000/svg}"
    texts = [element.text for element in root.iter(f"{space}text")]
    assert "Cost per day by alias" in texts
    assert "2026-11-22 to 2026-11-24 (UTC), total 0.15000495 USD" in texts
    assert {"US dollars", "day", "openai", "<b> & co", "0", "0.05", "22 Nov"} <= set(texts)
    heights = {
        (bar.find(f"{space}title").text or "").split(":")[0]: float(bar.get("height", 0))  # type: ignore[union-attr]
        for bar in root.iter(f"{space}rect")
        if bar.find(f"{space}title") is not None
    }
    ratio = heights["2026-11-24 openai"] / heights["2026-11-22 <b> & co"]
    assert ratio == pytest.approx(0.10000495 / 0.05, rel=0.01)


def test_a_chart_of_no_cost_and_of_many_names_is_drawn() -> None:
    """Nothing is divided by zero; what has no colour of its own is summed as others."""
    assert "US dollars" in svg(report("key"))
    assert "total 0 USD" in svg(summed([], NOVEMBER, ("day",)))
    many = [cell("2026-11-24", f"a{n}", "k", Sums(1, cost=Decimal(n))) for n in range(1, 12)]
    assert "2026-11-24 others: 15 USD" in svg(summed(many, NOVEMBER, ("alias",)))


def test_periods_are_whole_days() -> None:
    """Both ends are included; a month ends with its last day."""

    def asked(**options: str | int) -> str:
        given = {"days": None, "first": None, "last": None, "month": None, **options}
        return str(period(TODAY, **given))  # type: ignore[arg-type]

    assert asked() == "2026-10-26 to 2026-11-24"
    assert asked(days=1) == "2026-11-24 to 2026-11-24"
    assert asked(month="2026-02") == "2026-02-01 to 2026-02-28"
    assert asked(month="2026-12") == "2026-12-01 to 2026-12-31"
    assert asked(first="2026-11-01") == "2026-11-01 to 2026-11-24"
    assert asked(first="2026-11-01", last="2026-11-02") == "2026-11-01 to 2026-11-02"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"days": 3, "month": "2026-11"}, "more than one period"),
        ({"month": "11"}, "--month: '11' is not a date"),
        ({"first": "1.11.2026"}, "--from: '1.11.2026' is not a date"),
        ({"first": "2026-11-02", "last": "2026-11-01"}, "--to: 2026-11-01 is before --from"),
        ({"last": "2026-11-01"}, "--to: has no beginning"),
    ],
)
def test_a_wrong_period_is_refused(options: dict[str, str | int], words: str) -> None:
    """The option is named, with what to write."""
    given = {"days": None, "first": None, "last": None, "month": None, **options}
    with pytest.raises(ConfigurationError, match=words):
        period(TODAY, **given)  # type: ignore[arg-type]


def test_what_to_sum_by_is_checked() -> None:
    """Commas and repeated options are the same; what is unknown is answered with what is known."""
    assert parse_by(["day,key", "alias", "day"]) == ("day", "key", "alias")
    for wrong in (["user"], [","]):
        with pytest.raises(ConfigurationError, match="day, alias, model, key"):
            parse_by(wrong)


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

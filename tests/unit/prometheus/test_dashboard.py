"""Grafana's dashboard, whose panels the page draws too; Grafana itself is not available here."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.stack import REPOSITORY

FOLDER = REPOSITORY / "prometheus"
DASHBOARD = json.loads((FOLDER / "page/dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
COLUMNS = 24
DRAWN = {"stat", "timeseries", "bargauge"}
UNITS = {"none", "percentunit", "currencyUSD", "bytes", "s", "reqpm"}

each_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])


def test_grafana_finds_the_file_its_source_and_its_fields() -> None:
    """Each panel's datasource is the one provisioned; the file has what Grafana asks for."""
    source = yaml.safe_load((FOLDER / "grafana/datasources/prometheus.yml").read_text())
    provider = yaml.safe_load((FOLDER / "grafana/dashboards/gateway.yml").read_text())
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    mounts = {
        mount["target"]: mount["source"]
        for mount in compose["services"]["grafana"]["volumes"]
        if isinstance(mount, dict)
    }
    folder = provider["providers"][0]["options"]["path"]

    assert mounts[f"{folder}/dashboard.json"] == "./prometheus/page/dashboard.json"
    assert mounts["/etc/grafana/provisioning"] == "./prometheus/grafana"
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    used = {each["datasource"]["uid"] for panel in PANELS for each in (panel, *panel["targets"])}
    assert used == {source["datasources"][0]["uid"]}
    assert DASHBOARD["schemaVersion"] >= 39
    assert DASHBOARD["uid"]
    assert DASHBOARD["title"]
    assert DASHBOARD["time"] == {"from": "now-1h", "to": "now"}
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_no_panel_lies_on_another() -> None:
    """Each has its place in Grafana's 24 columns."""
    cells: list[tuple[int, int]] = []
    for panel in PANELS:
        at = panel["gridPos"]
        assert 0 <= at["x"] <= COLUMNS - at["w"]
        columns, rows = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        cells += itertools.product(columns, rows)
    assert len(set(cells)) == len(cells)


@each_panel
def test_the_page_can_draw_it(panel: dict[str, Any]) -> None:
    """Its type, unit and width are among those that the page knows, and it says what it shows."""
    assert panel["type"] in DRAWN
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["gridPos"]["w"] in {4, 12}
    assert panel["description"]
    assert {target["instant"] for target in panel["targets"]} == {panel["type"] != "timeseries"}
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    """Promtool parses each, with a duration in place of Grafana's variables."""
    queries = [target["expr"] for panel in PANELS for target in panel["targets"]]
    plain = [re.sub(r"\$__(rate_interval|range)", "5m", query) for query in queries]
    rules = [{"record": f"query:{at}", "expr": query} for at, query in enumerate(plain)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))

    done = subprocess.run(
        ["promtool", "check", "rules", file], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(queries)} rules found" in done.stdout

"""Prometheus' configuration, held against promtool and against the metrics that there are."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
import yaml

from support.stack import REPOSITORY

FOLDER = REPOSITORY / "prometheus"
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text())
TESTS = yaml.safe_load((FOLDER / "rules_test.yml").read_text())
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]
}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Debian's promtool in the folder of the configuration."""
    return subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )


def test_prometheus_takes_the_configuration() -> None:
    """What it scrapes and its rules have no mistake that promtool can find."""
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_does_as_its_tests_say() -> None:
    """Promtool plays the measurements of rules_test.yml to the rules."""
    done = promtool("test", "rules", "rules_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def cases() -> list[dict[str, Any]]:
    """Return each case of rules_test.yml."""
    return [case for test in TESTS["tests"] for case in test["alert_rule_test"]]


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_and_says_what_to_do(alert: str) -> None:
    """It fires in some test; it says what happened, what was seen, and a command or file."""
    annotations = ALERTS[alert]["annotations"]

    assert any(case["alertname"] == alert and case["exp_alerts"] for case in cases())
    assert annotations.keys() == {"summary", "evidence", "action"}
    assert ALERTS[alert]["labels"]["severity"] in {"critical", "warning"}
    assert re.search(r"\./run|docs/", annotations["action"])


def test_an_alert_leads_to_a_document_that_exists() -> None:
    """Each action names a guide of docs/, and each guide that is named exists."""
    actions = [rule["annotations"]["action"] for rule in ALERTS.values()]
    named = [re.findall(r"docs/[\w-]+\.md", action) for action in actions]

    assert all(named)
    assert all((REPOSITORY / document).is_file() for guides in named for document in guides)

"""The command: records on standard input, a report on standard output."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from gateway.doctor import report
from gateway.doctor.examine import CHECKS, examine
from gateway.doctor.parse import read_facts


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 nothing wrong, 1 with findings."""
    parser = argparse.ArgumentParser(prog="gateway doctor", description=__doc__)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="findings as a JSON object")
    form.add_argument(
        "--repairs", action="store_true", help="the report on stderr, repairs as lines on stdout"
    )
    chosen = parser.parse_args(arguments)
    facts = read_facts(sys.stdin.buffer.read())
    try:
        from gateway.doctor.observe import observe  # noqa: PLC0415 -- wants packages
    except ModuleNotFoundError:
        reason = (
            "providers, models and litellm_config.yaml: that takes the gateway's image (./run up)"
        )
        facts = replace(facts, observed=replace(facts.observed, not_checked=(reason,)))
    else:
        facts = replace(facts, observed=observe(facts))
    found = examine(facts)
    not_checked = facts.observed.not_checked
    if chosen.json:
        print(report.as_json(found, not_checked))  # noqa: T201 -- what was asked for
        return bool(found)
    text = report.as_text(found, not_checked, len(CHECKS))
    print(text, file=sys.stderr if chosen.repairs else sys.stdout)
    if chosen.repairs:
        sys.stdout.write(report.repairs(found))
    return bool(found)

"""What was found, for people, for programs, and for ./run, which mends."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.doctor.finding import Finding

    Found = Sequence[tuple[str, Finding]]


def as_text(found: Found, not_checked: Sequence[str], checks: int) -> str:
    """Return the findings, each with its evidence and its fix, and what was not checked."""
    blocks = [
        f"{number}. {finding.what}\n   seen: {_indented(finding.evidence)}\n"
        f"   fix:  {_indented(finding.fix)}"
        for number, (_, finding) in enumerate(found, start=1)
    ]
    if not_checked:
        blocks.append("\n".join(f"not checked: {reason}" for reason in not_checked))
    blocks.append(_end(found, checks))
    return "\n\n".join(blocks)


def as_json(found: Found, not_checked: Sequence[str]) -> str:
    """Return an object: `findings`, each with its check's name, and `not_checked`."""
    findings = [{"check": check, **asdict(finding)} for check, finding in found]
    document = {"findings": findings, "not_checked": list(not_checked)}
    return json.dumps(document, indent=2, ensure_ascii=False)


def repairs(found: Found) -> str:
    """Return a line for each repair: action, target, line numbers, question; tabs between."""
    wanted = dict.fromkeys(finding.repair for _, finding in found if finding.repair)
    return "".join(
        f"{each.action}\t{each.target}\t{','.join(map(str, each.lines)) or '-'}\t{each.question}\n"
        for each in wanted
    )


def _end(found: Found, checks: int) -> str:
    if not found:
        return f"nothing wrong found; {checks} checks"
    mended = len({finding.repair for _, finding in found if finding.repair})
    things = "1 thing is" if len(found) == 1 else f"{len(found)} things are"
    return f"{things} wrong" + (
        f"; ./run doctor --fix mends {mended}, asking first" if mended else ""
    )


def _indented(text: str) -> str:
    return text.strip().replace("\n", "\n         ")

"""What a check finds: what is wrong, what shows it, what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.doctor.facts import Facts

    Check = Callable[[Facts], Iterable["Finding"]]


@dataclass(frozen=True)
class Repair:
    """Something safe that ./run can do; commands/doctor.sh has a function for each action.

    Attributes:
        action: clean-env, chmod-env or restart.
        target: the file, or the service.
        question: what is asked before.
        lines: the numbers of the lines that are changed, where it is about lines.
    """

    action: str
    target: str
    question: str
    lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        what: in a few words.
        evidence: what was seen; never a secret's value.
        fix: the exact thing to do.
        repair: what --fix does about it; None when it is a person's to decide.
    """

    what: str
    evidence: str
    fix: str
    repair: Repair | None = None

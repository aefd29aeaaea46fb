"""What is said when a setting is wrong: where, what was found, what to set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_CONFIGURATION = 2
"""Exit code of every command that stops because of a setting."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        where: the variable, or file:line.
        found: what is wrong about it; never a secret's value.
        fix: what to do, with the allowed values where there are any.
    """

    where: str
    found: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.found}\n    {self.fix}"


class ConfigurationError(Exception):
    """Settings that cannot be used; carries every problem found, not just the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)

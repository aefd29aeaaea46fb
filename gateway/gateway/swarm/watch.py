"""Wait until a stack runs what was deployed, and say meanwhile how far it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.swarm.judge import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from gateway.swarm.snapshot import Snapshot

SILENCE = 300.0
"""Seconds without progress after which nothing more is waited for."""

NEEDED_FIRST = ("postgres", "migrate")
"""What is deployed before all else, because a swarm orders nothing."""


@dataclass(frozen=True)
class Outcome:
    """How it ended.

    Attributes:
        problem: what went wrong; empty when nothing did.
        snapshot: the last one; None when there was none.
    """

    problem: str
    snapshot: Snapshot | None


@dataclass
class Watch:
    """Judges snapshots one after another.

    Attributes:
        only: the services that are waited for; all when empty.
        rolled_back: whether a service that was rolled back counts as done.
        say: takes a line for the user.
        clock: seconds.
    """

    only: Collection[str] = ()
    rolled_back: bool = False
    silence: float = SILENCE
    say: Callable[[str], None] = print
    clock: Callable[[], float] = time.monotonic

    def follow(self, snapshots: Iterable[Snapshot]) -> Outcome:
        """Return as soon as all services are as they should be, or will not be."""
        best, said, snapshot = -1, dict[str, str](), None
        since = self.clock()
        for snapshot in snapshots:
            verdicts = [each for each in judge(snapshot) if self._is_waited_for(each)]
            self._tell(verdicts, said)
            if problem := self._problem(verdicts):
                return Outcome(problem, snapshot)
            if verdicts and all(each.condition in ("ready", "loading") for each in verdicts):
                return Outcome("", snapshot)
            progress = _progress(verdicts)
            if progress > best:
                best, since = progress, self.clock()
            elif self.clock() - since > self.silence:
                return Outcome(f"no progress for {self.silence:.0f} s", snapshot)
        return Outcome("the swarm's manager no longer answers", snapshot)

    def _is_waited_for(self, verdict: Verdict) -> bool:
        if self.rolled_back and verdict.is_job:
            return False
        return not self.only or verdict.name in self.only

    def _problem(self, verdicts: Iterable[Verdict]) -> str:
        if self.rolled_back:
            stopped = [each.name for each in verdicts if each.update.endswith("stopped")]
            return f"the rollback of {', '.join(stopped)} stopped" if stopped else ""
        undone = [each.name for each in verdicts if each.undone]
        return f"the swarm rolled back the update of {', '.join(undone)}" if undone else ""

    def _tell(self, verdicts: Iterable[Verdict], said: dict[str, str]) -> None:
        """Say what has changed since the last snapshot."""
        for each in verdicts:
            line = f"{each.name}: {each.tasks} {each.update} {each.detail}".rstrip()
            if said.get(each.name) != line:
                said[each.name] = line
                self.say(f"  {line}")


def _progress(verdicts: Iterable[Verdict]) -> int:
    """Return a number that a service which starts again and again cannot raise for ever."""
    return sum(each.running + (each.condition == "ready") for each in verdicts)

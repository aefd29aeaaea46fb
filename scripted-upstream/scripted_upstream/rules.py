"""Which rule holds for a call: matching, counting, and drawing by a seed."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from scripted_upstream.exchange import ParsedCall
from scripted_upstream.script import Action, Answer, Match, Provider, Rule, Script, Upstream, When

_NOTHING = Upstream()


@dataclass(frozen=True)
class Subject:
    """What rules look at.

    Attributes:
        provider: whose form the request speaks.
        upstream: the name of the virtual upstream, "" for none.
        path: without that upstream's prefix.
        key: the API key, "" for none.
        ask: what is asked for; a request that could not be read asks for something free.
    """

    provider: Provider
    upstream: str
    path: str
    headers: Mapping[str, str]
    key: str
    ask: ParsedCall


@dataclass(frozen=True)
class Verdict:
    """What is to happen to a call.

    Attributes:
        rule: its name, or rules[N]; None if no rule holds.
        action: what goes wrong.
        answer: what is said.
    """

    rule: str | None
    action: Action
    answer: Answer


@dataclass
class Tally:
    """How often a rule matched, and how often it then held."""

    matched: int = 0
    applied: int = 0


@dataclass
class Rulebook:
    """A script with its counters."""

    script: Script = field(default_factory=Script)
    tallies: list[Tally] = field(init=False)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Count from the start again."""
        self.tallies = [Tally() for _ in self.script.rules]

    def upstream(self, name: str) -> Upstream:
        """Return a virtual upstream; one that the script does not name is like the others."""
        return self.script.upstreams.get(name, _NOTHING)

    def upstream_of_key(self, key: str) -> str:
        """Return the name of the upstream that a key leads to, or ""."""
        named = self.script.upstreams.items()
        return next((name for name, each in named if key and each.key == key), "")

    def judge(self, subject: Subject) -> Verdict:
        """Return what the first rule that holds says; every rule that matches counts the call."""
        upstream = self.upstream(subject.upstream)
        answer = upstream.answer.over(self.script.answer)
        held: tuple[int, Rule] | None = None
        for index, rule in enumerate(self.script.rules):
            if not matches(rule.match, subject):
                continue
            tally = self.tallies[index]
            tally.matched += 1
            if held is None and self._now(rule.when, index, tally.matched):
                tally.applied += 1
                held = index, rule
        if held is None:
            return Verdict(None, Action(), answer)
        index, rule = held
        return Verdict(rule.name or f"rules[{index}]", rule.do, rule.answer.over(answer))

    def _now(self, when: When, index: int, call: int) -> bool:
        if when.nth is not None:
            return call in (when.nth if isinstance(when.nth, list) else [when.nth])
        if when.first is not None:
            return call <= when.first
        if when.every is not None:
            return call % when.every == 0
        if when.start is not None:
            return when.start <= call and (when.end is None or call <= when.end)
        if when.rate is not None:
            # Drawn from the call's number: the same whatever happened between.
            draw = random.Random(f"{self.script.seed}/{index}/{call}")  # noqa: S311 -- no secret
            return draw.random() < when.rate
        return True


def matches(match: Match, subject: Subject) -> bool:
    """Return whether a call fits all that is given."""
    costs = subject.ask.operation != "free"
    return all(
        (
            match.calls == "any" or costs == (match.calls == "model"),
            match.provider in {None, subject.provider},
            match.upstream in {None, subject.upstream},
            match.path is None or fnmatchcase(subject.path, match.path),
            match.model is None or fnmatchcase(subject.ask.model, match.model),
            match.stream in {None, subject.ask.stream},
            _found(match.key, subject.key),
            _found(match.text, subject.ask.prompt),
            all(
                _found(pattern, subject.headers.get(name.lower(), ""))
                for name, pattern in match.headers.items()
            ),
        )
    )


def _found(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is None or pattern.search(text) is not None

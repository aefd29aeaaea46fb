"""Which models a caller may ask for: LiteLLM's rules, applied to the configured names.

auth_checks.py, 1.106.2: `_can_object_call_model` 4618, `check_model_access_helper` 4549,
`can_key_call_model` 5177, `can_team_access_model` 5360, `check_team_member_model_access` 6299,
`can_user_call_model` 5539, `can_customer_access_model` 5510.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping  # noqa: TC003 -- dataclasses look them up
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gateway.config.deployment import Models

ALL_PROXY_MODELS = "all-proxy-models"
ALL_TEAM_MODELS = "all-team-models"
NO_DEFAULT_MODELS = "no-default-models"


@dataclass(frozen=True, slots=True)
class Allowlist:
    """The models that one key, team, user or customer allows.

    Attributes:
        kind: key, team, user or customer, as in LiteLLM's error.
        models: names, access groups, wildcards and LiteLLM's special names; empty for all.
        instead: further lists, from access groups, that may grant what `models` does not.
        team_aliases: how the team's names for models count. `grant`: each of them is granted;
            `ignore`: they are unknown to this list; `follow`: the model that the name stands for
            is checked.
        all_configured: whether the list grants every name of the configuration.
        none: whether the list grants nothing at all.
    """

    kind: str
    models: tuple[str, ...]
    instead: tuple[tuple[str, ...], ...] = ()
    team_aliases: Literal["grant", "ignore", "follow"] = "ignore"
    all_configured: bool = False
    none: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the list grants everything."""
        if self.none or (self.all_configured and not self.models):
            return False
        return not self.models or "*" in self.models or ALL_PROXY_MODELS in self.models

    def lists(self, name: str, catalogue: Catalogue) -> bool:
        """Return whether a name is on one of the lists."""
        if self.all_configured and name in catalogue.names:
            return True
        nothing_else = self.all_configured and not self.models
        lists = self.instead if nothing_else else (self.models, *self.instead)
        return any(_is_on(models, name, catalogue) for models in lists)


class Catalogue:
    """The configured names, with their access groups and providers."""

    def __init__(self, models: Models) -> None:
        self.aliases = tuple(dict.fromkeys(each.alias for each in models.deployments))
        self.group_targets = {
            name: target for name, (target, _) in models.router.group_aliases.items()
        }
        hidden = {name for name, (_, is_hidden) in models.router.group_aliases.items() if is_hidden}
        self.names = tuple(dict.fromkeys((*self.aliases, *self.group_targets)))
        self.shown = tuple(name for name in self.names if name not in hidden)
        groups: dict[str, set[str]] = defaultdict(set)
        for group, members in models.access_groups.items():
            for alias in members:
                groups[alias].add(group)
        self._groups = {alias: frozenset(found) for alias, found in groups.items()}
        self._providers = {
            alias: frozenset(each.provider for each in models.of_alias(alias))
            for alias in self.aliases
        }

    def groups_of(self, name: str) -> frozenset[str]:
        """Return the access groups of the configuration that contain a name."""
        return self._groups.get(self.group_targets.get(name, name), frozenset())

    def fits(self, name: str, pattern: str) -> bool:
        """Return whether a wildcard, such as `openai/*`, matches a name.

        LiteLLM finds the provider of a bare name in its model map; this finds it in the name's
        deployments. `identity.py` sends keys with such wildcards to LiteLLM.
        """
        candidates = [name]
        if "/" not in name:
            providers = self._providers.get(self.group_targets.get(name, name), ())
            candidates += [f"{provider}/{name}" for provider in providers]
        try:
            compiled = re.compile(f"^{pattern.replace('*', '.*')}$")
        except re.error:
            return False
        return any(compiled.match(candidate) for candidate in candidates)


@dataclass(frozen=True, slots=True)
class ModelRules:
    """All lists that hold for a caller, and the caller's own names for models.

    Attributes:
        lists: in the order in which LiteLLM checks them.
        team_aliases: the team's names for models, which are replaced first.
        key_aliases: the key's names for models, which are replaced after the team's.
    """

    lists: tuple[Allowlist, ...] = ()
    team_aliases: Mapping[str, str] = field(default_factory=dict)
    key_aliases: Mapping[str, str] = field(default_factory=dict)

    def denied_by(self, name: str, catalogue: Catalogue) -> str | None:
        """Return the kind of the first list that denies a name; None when all grant it."""
        for allowlist in self.lists:
            if not self._grants(allowlist, name, catalogue):
                return allowlist.kind
        return None

    def aliases(self) -> dict[str, str]:
        """Return what each of the caller's names for models stands for.

        The team's names are replaced first, then the key's.
        """
        if not self.team_aliases and not self.key_aliases:
            return {}
        after_team = {**{name: name for name in self.key_aliases}, **self.team_aliases}
        return {name: self.key_aliases.get(to, to) for name, to in after_team.items()}

    def allowed(self, catalogue: Catalogue) -> frozenset[str] | None:
        """Return the names that the caller may ask for; None for all."""
        if all(each.is_open for each in self.lists):
            return None
        names: Iterable[str] = (*catalogue.names, *self.team_aliases, *self.key_aliases)
        return frozenset(name for name in names if self.denied_by(name, catalogue) is None)

    def _grants(self, allowlist: Allowlist, name: str, catalogue: Catalogue) -> bool:
        if allowlist.none:
            return False
        team_aliases = self.team_aliases if allowlist.team_aliases == "grant" else {}
        if allowlist.team_aliases == "follow" and name in self.team_aliases:
            if name in allowlist.models:
                return True
            name = self.team_aliases[name]
        return any(
            each in team_aliases or allowlist.lists(each, catalogue)
            for each in self._candidates(name, team_aliases, catalogue)
        )

    def _candidates(
        self, name: str, team_aliases: Mapping[str, str], catalogue: Catalogue
    ) -> tuple[str, ...]:
        """Return the names of which at least one has to be on the list."""
        after_team = team_aliases.get(name, name)
        after_key = self.key_aliases.get(after_team, after_team)
        sent = self.key_aliases.get(after_key, after_key)
        if after_key != after_team or sent != after_key:
            return (sent,)  # for a key's own name, the model behind it has to be listed
        target = catalogue.group_targets.get(name)
        return (name,) if target is None else (name, target)


def _is_on(models: tuple[str, ...], name: str, catalogue: Catalogue) -> bool:
    groups = catalogue.groups_of(name)
    return (
        not models
        or name in models
        or ALL_PROXY_MODELS in models
        or any(each in groups for each in models)
        or any("*" in each and catalogue.fits(name, each) for each in models)
    )

"""From the file a user edits and the environment to the configuration that LiteLLM reads.

Everything that could surprise is said in `notes`: what is left out, and why.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.config.check import SECRET_SETTINGS, aliases, chains_of, check_document, section
from gateway.config.environment import Environment
from gateway.config.fallbacks import Chain, cycles, unknown_aliases, without_left_out
from gateway.config.huggingface import as_openai
from gateway.config.known_keys import FALLBACKS
from gateway.config.prices import WORD, is_priced, price_settings, unpriced
from gateway.config.problems import ConfigurationError, Problem
from gateway.config.providers import BASE_VARIABLES, MODEL_VARIABLES, referenced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.document import ConfigDocument
    from gateway.config.settings import Settings

CHAIN_VARIABLES = {
    "extraction-model": "extraction_fallbacks",
    "explanation-model": "explanation_fallbacks",
}
"""The app's two aliases, and the settings that replace their fallbacks."""

ROUTER_OVERRIDES = {
    "routing_strategy": "routing_strategy",
    "num_retries": "num_retries",
    "timeout": "request_timeout",
    "allowed_fails": "allowed_fails",
    "cooldown_time": "cooldown_time",
}
"""Router settings, and the settings that override them."""


@dataclass(frozen=True)
class LeftOut:
    """A deployment that is not started: its alias, its model, and the variable that is unset."""

    alias: str
    model: str
    variable: str


@dataclass(frozen=True)
class EffectiveConfig:
    """What LiteLLM is started with.

    Attributes:
        config: the content of its configuration file; keys stay `os.environ/…` references.
        aliases: every name that a request may give as its model.
        notes: one line for each thing left out.
        left_out: the deployments without a key.
        variables: the variables that the references name, whether from VAR or VAR_FILE.
    """

    config: dict[str, Any]
    aliases: tuple[str, ...]
    notes: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    variables: dict[str, str] = field(repr=False)


def render(
    document: ConfigDocument, settings: Settings, variables: Mapping[str, str]
) -> EffectiveConfig:
    """Return the effective configuration.

    Raises:
        ConfigurationError: names everything that is wrong, by file:line or variable.
    """
    problems = check_document(document)
    if problems:
        raise ConfigurationError(problems)
    return _Renderer(document, settings, Environment(variables)).run()


class _Renderer:
    """One rendering; collects notes and problems on its way."""

    def __init__(
        self, document: ConfigDocument, settings: Settings, environment: Environment
    ) -> None:
        self.document = document
        self.settings = settings
        self.environment = environment
        self.notes: list[str] = []
        self.problems: list[Problem] = []
        self.variables: dict[str, str] = {}
        self.left_out: dict[str, str] = {}
        self.without_key: list[LeftOut] = []

    def run(self) -> EffectiveConfig:
        config = copy.deepcopy(self.document.data)
        config["model_list"] = self._deployments()
        router = config["router_settings"] = dict(section(self.document, "router_settings"))
        self._override_router(router)
        for setting in FALLBACKS:
            self._fallbacks(router, setting)
        general = config["general_settings"] = dict(section(self.document, "general_settings"))
        for name in SECRET_SETTINGS:  # LiteLLM finds both in its environment
            general.pop(name, None)
        if self.problems:
            raise ConfigurationError(self.problems)
        present = tuple(name for name in aliases(self.document) if name not in self.left_out)
        return EffectiveConfig(
            config, present, tuple(self.notes), tuple(self.without_key), self.variables
        )

    def _deployments(self) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] = []
        reasons: dict[str, str] = {}
        for index, deployment in enumerate(self.document.data["model_list"]):
            name = deployment["model_name"]
            missing = self._missing_key(deployment)
            if missing is None:
                kept.append(self._deployment(index, deployment))
                self._check_price(index, deployment, kept[-1])
            else:
                reasons[name] = f"{missing} is unset"
                self.notes.append(f"{name} left out: {missing} is unset")
                self.without_key.append(LeftOut(name, self._model_id(deployment), missing))
        names = {deployment["model_name"] for deployment in kept}
        self.left_out = {name: why for name, why in reasons.items() if name not in names}
        if not kept:
            self.problems.append(
                Problem(
                    self.document.where("model_list"),
                    "no deployment is left",
                    f"set one of: {', '.join(sorted({r.split()[0] for r in reasons.values()}))}",
                )
            )
        return kept

    def _missing_key(self, deployment: dict[str, Any]) -> str | None:
        variable = referenced(deployment["litellm_params"].get("api_key"))
        return variable if variable and self._lookup(variable) is None else None

    def _deployment(self, index: int, deployment: dict[str, Any]) -> dict[str, Any]:
        result = copy.deepcopy(deployment)
        parameters = result["litellm_params"]
        for name, value in list(parameters.items()):
            variable = referenced(value)
            if variable is None:
                continue
            if variable in MODEL_VARIABLES:
                provider = MODEL_VARIABLES[variable]
                parameters[name] = provider.model_id(self._lookup(variable))
                parameters.update(self._price(f"{provider.name}{WORD}"))
            elif variable in BASE_VARIABLES:
                base = self._lookup(variable) or BASE_VARIABLES[variable].base
                parameters[name] = base.rstrip("/") if base else None
            elif self._lookup(variable) is None:
                self.problems.append(
                    Problem(
                        self.document.where("model_list", index, "litellm_params", name),
                        f"{variable} is unset",
                        f"set {variable}, or write the value here",
                    )
                )
            elif name in ("model", "api_base"):  # looked at below, and by checks
                parameters[name] = self._lookup(variable)
        result["litellm_params"] = {k: v for k, v in parameters.items() if v is not None}
        return as_openai(result)

    def _model_id(self, deployment: dict[str, Any]) -> str:
        written = str(deployment["litellm_params"]["model"])
        variable = referenced(written)
        if variable is None:
            return written
        value = self._lookup(variable)
        provider = MODEL_VARIABLES.get(variable)
        return provider.model_id(value) if provider else value or variable

    def _price(self, variable: str) -> dict[str, float]:
        """Return the price that a variable gives to a provider's model, as LiteLLM's settings."""
        value = self._lookup(variable)
        if value is None:
            return {}
        try:
            return price_settings(variable, value)
        except ConfigurationError as error:
            self._add(error)
            return {}

    def _check_price(self, index: int, given: dict[str, Any], result: dict[str, Any]) -> None:
        """Refuse a model without a price, unless ALLOW_UNPRICED_MODELS books it at 0."""
        if is_priced(result):
            return
        model = result["litellm_params"]["model"]
        if self.settings.allow_unpriced_models:
            self.notes.append(f"{result['model_name']}: no price of {model} is known, it costs 0")
            return
        provider = MODEL_VARIABLES.get(referenced(given["litellm_params"].get("model")) or "")
        where = self.document.where("model_list", index)
        self.problems.append(unpriced(where, model, provider.name if provider else None))

    def _add(self, error: ConfigurationError) -> None:
        """Add a problem once, although several deployments may read the variable."""
        self.problems.extend(p for p in error.problems if p not in self.problems)

    def _lookup(self, variable: str) -> str | None:
        try:
            value = self.environment.get(variable)
        except ConfigurationError as error:
            self._add(error)
            return "unreadable"  # it is set; that it cannot be read has been said
        if value is not None:
            self.variables[variable] = value
        return value

    def _override_router(self, router: dict[str, Any]) -> None:
        for name, setting in ROUTER_OVERRIDES.items():
            value = getattr(self.settings, setting)
            if value is not None:
                router[name] = value

    def _fallbacks(self, router: dict[str, Any], setting: str) -> None:
        chains = chains_of(self.document, setting)
        if setting == "fallbacks":
            given = self._chains_by_variable()
            replaced = {chain.alias for chain in given}
            chains = [chain for chain in chains if chain.alias not in replaced] + given
            self.problems.extend(unknown_aliases(given, aliases(self.document)))
            if given:
                self.problems.extend(cycles(chains))
        kept, notes = without_left_out(chains, self.left_out)
        self.notes.extend(notes)
        if chains or setting in router:
            router[setting] = [{chain.alias: list(chain.targets)} for chain in kept]

    def _chains_by_variable(self) -> list[Chain]:
        """Return what EXTRACTION_FALLBACKS and EXPLANATION_FALLBACKS say instead of the file."""
        given = (
            (alias, name, getattr(self.settings, name)) for alias, name in CHAIN_VARIABLES.items()
        )
        return [
            Chain(alias, targets, name.upper())
            for alias, name, targets in given
            if targets is not None
        ]

"""A deployment: one entry of the model list, as data that every room can rely on."""

from __future__ import annotations

from collections.abc import Callable, Mapping  # noqa: TC003 -- dataclasses look it up at run time
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any


class Protocol(Enum):
    """How a deployment is spoken to."""

    OPENAI = "openai"  # OpenAI's own protocol, whichever provider serves it
    OLLAMA = "ollama"  # Ollama's /api/chat and /api/embed
    WORKER = "worker"  # anything else, by LiteLLM's library in a process of its own


@dataclass(frozen=True)
class Deployment:
    """One deployment.

    Attributes:
        id: LiteLLM's id of it (`model_info.id`, or what LiteLLM's router makes of its parameters).
        alias: the name that requests ask for.
        provider: LiteLLM's name of the provider, such as `openai` or `ollama_chat`.
        model: the provider's own name of the model.
        protocol: how it is spoken to.
        base: the base URL without a slash at its end; None where only LiteLLM knows it.
        key: the API key; None when there is none.
        mode: what the model is for: chat, completion, embedding, moderation, audio_speech …
        price: its entry of LiteLLM's price map with the prices of the configuration over it: USD a
            token, by LiteLLM's names; {} when no price is known.
        features: what LiteLLM's price map says that the model can (`supports_…`), whatever its
            price is; {} for a model that it does not list.
        max_input_tokens: the longest prompt; None when nobody says.
        max_output_tokens: the longest answer; None when nobody says.
        defaults: parameters of every request that does not set them (temperature, extra_body …).
        headers: more headers for the provider.
        timeout: seconds for one attempt at a plain answer; None for the router's.
        stream_timeout: the same for a stream; None for `timeout`.
        weight: its share under simple-shuffle.
        rpm: requests a minute that it takes; None for no limit.
        tpm: tokens a minute that it takes; None for no limit.
        max_parallel: requests at once that it takes; None for no limit.
        order: those of the lowest order are asked first.
        tags: for tag filtering.
        drop_params: whether parameters that it does not know are dropped.
        parameters: the whole of its litellm_params, for the worker.
        info: the whole of its model_info.
    """

    id: str
    alias: str
    provider: str
    model: str
    protocol: Protocol
    base: str | None = None
    key: str | None = field(default=None, repr=False)
    mode: str = "chat"
    price: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float | None = None
    stream_timeout: float | None = None
    weight: float | None = None
    rpm: int | None = None
    tpm: int | None = None
    max_parallel: int | None = None
    order: int = 0
    tags: tuple[str, ...] = ()
    drop_params: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def full_model(self) -> str:
        """The model as LiteLLM writes it."""
        return f"{self.provider}/{self.model}"

    @property
    def is_free(self) -> bool:
        """Whether its price is set to 0."""
        prices = ("input_cost_per_token", "output_cost_per_token")
        return all(self.price.get(name) == 0 for name in prices)

    @property
    def is_priced(self) -> bool:
        """Whether a price is known, 0 among them."""
        return any("cost_per" in name and value is not None for name, value in self.price.items())


@dataclass(frozen=True)
class RouterSettings:
    """router_settings with the variables over it.

    Attributes:
        strategy: one of config.known_keys.STRATEGIES.
        num_retries: retries of an attempt within an alias.
        timeout: seconds for one attempt.
        stream_timeout: the same for a stream; None for `timeout`.
        connect_timeout: seconds for a connection.
        retry_after: seconds at least between two tries.
        fallbacks: alias (or `*`) → aliases to try after it, when a deployment fails.
        context_window_fallbacks: the same, when the prompt is too long.
        content_policy_fallbacks: the same, when the provider's filter refuses the prompt.
        default_fallbacks: for an alias that has none.
        max_fallbacks: how many aliases are tried after the first.
        retry_policy: retries by LiteLLM's name of the error.
        alias_retry_policies: the same for one alias.
        allowed_fails: answers of 500 and above in a row that keep a deployment in use.
        cooldown: seconds for which a failed deployment gets no requests.
        provider_budgets: provider → (USD, seconds), for provider-budget-routing.
        strategy_args: routing_strategy_args.
        group_aliases: model_group_alias: name → (alias, hidden).
        enable_tag_filtering: whether deployments are chosen by tag.
        enable_pre_call_checks: whether a deployment whose context is too small is not asked.
    """

    strategy: str = "simple-shuffle"
    num_retries: int = 2
    timeout: float = 120.0
    stream_timeout: float | None = None
    connect_timeout: float = 5.0
    retry_after: float = 0.0
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    context_window_fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    content_policy_fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default_fallbacks: tuple[str, ...] = ()
    max_fallbacks: int = 5
    retry_policy: Mapping[str, int] = field(default_factory=dict)
    alias_retry_policies: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    allowed_fails: int = 2
    cooldown: float = 5.0
    provider_budgets: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    strategy_args: Mapping[str, Any] = field(default_factory=dict)
    group_aliases: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    enable_tag_filtering: bool = False
    enable_pre_call_checks: bool = False


@dataclass(frozen=True)
class LiteLLMOnly:
    """Something that only LiteLLM's proxy does; what asks for it goes there.

    Attributes:
        what: the setting, field or feature, as its user wrote it: `guardrails`, `metadata.tags`.
        why: one phrase for people.
    """

    what: str
    why: str


@dataclass(frozen=True)
class Models:
    """Everything that can be asked, and how: what `config` hands to the other rooms.

    Attributes:
        deployments: in the order of the file.
        router: how one of them is chosen.
        litellm_only: why every request goes to LiteLLM's proxy; empty when none has to.
        litellm_only_by_alias: the same for the requests of one alias.
        store_prompts: whether spend logs hold prompts and answers.
        disable_spend_logs: whether no spend logs are written, only totals.
        access_groups: group → aliases, from `model_info.access_groups`.
        max_body_bytes: the longest request body.
        library: litellm_settings that the worker sets on LiteLLM's library.
        wildcards: the deployments of a wildcard for a name that it takes in; None without one.
    """

    deployments: tuple[Deployment, ...]
    router: RouterSettings = field(default_factory=RouterSettings)
    litellm_only: tuple[LiteLLMOnly, ...] = ()
    litellm_only_by_alias: Mapping[str, tuple[LiteLLMOnly, ...]] = field(default_factory=dict)
    store_prompts: bool = False
    disable_spend_logs: bool = False
    access_groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_body_bytes: int = 32 << 20
    library: Mapping[str, Any] = field(default_factory=dict)
    wildcards: Callable[[str], tuple[Deployment, ...]] | None = None
    _by_name: dict[str, tuple[Deployment, ...]] = field(
        default_factory=dict, init=False, repr=False
    )
    _by_alias: dict[str, tuple[Deployment, ...]] = field(
        default_factory=dict, init=False, repr=False
    )

    def of_alias(self, alias: str) -> tuple[Deployment, ...]:
        """Return the deployments of an alias, () for one that nobody configured."""
        return self._by_alias.get(alias, ())

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that a request may give: the aliases, then those that stand for one."""
        return tuple(dict.fromkeys((*self._by_alias, *self.router.group_aliases)))

    def match(self, alias: str) -> tuple[Deployment, ...]:
        """Return the deployments that a request for `alias` may go to, () for none.

        A name of `model_group_alias` comes before one of the model list, that before a wildcard
        (`openai/*`): as in LiteLLM's router. What is returned has `alias` as its alias. A
        deployment's id is a name for it alone, and it keeps its alias.
        """
        found = self._by_name.get(alias)
        if found is None and self.wildcards is not None:
            return self.wildcards(alias)
        return found or ()

    def __post_init__(self) -> None:
        by_alias: dict[str, list[Deployment]] = {}
        for deployment in self.deployments:
            by_alias.setdefault(deployment.alias, []).append(deployment)
        self._by_alias.update({alias: tuple(found) for alias, found in by_alias.items()})
        self._by_name.update(
            {each.id: (each,) for each in self.deployments if "*" not in each.alias}
        )
        self._by_name.update(
            {name: all_ for name, all_ in self._by_alias.items() if "*" not in name}
        )
        for name, (alias, _) in self.router.group_aliases.items():
            self._by_name[name] = tuple(
                replace(deployment, alias=name) for deployment in self.of_alias(alias)
            )

"""What failover knows about a deployment: which it is, and where its provider can be looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_BASES = {
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com",
    "huggingface": "https://router.huggingface.co/v1",
    "ollama": "http://localhost:11434",
    "ollama_chat": "http://localhost:11434",
    "openai": "https://api.openai.com/v1",
}
"""Where LiteLLM finds a provider when a deployment has no api_base."""


CHATTING = frozenset({"chat", "responses"})
"""LiteLLM's modes of models that its chat endpoint reaches."""

PRICES = ("input_cost_per_token", "output_cost_per_token")


@dataclass(frozen=True)
class Target:
    """One deployment.

    Attributes:
        deployment: LiteLLM's id of it.
        alias: the name that requests ask for.
        provider: LiteLLM's name of the provider.
        model: the provider's name of the model.
        base: the base URL; None when only LiteLLM knows it.
        key: the API key; None when there is none.
        chats: whether it answers chats; a model for embeddings does not.
        is_free: whether its price is set to 0.
    """

    deployment: str
    alias: str
    provider: str
    model: str
    base: str | None
    key: str | None = field(default=None, repr=False)
    chats: bool = True
    is_free: bool = False

    @property
    def full_model(self) -> str:
        """The model as LiteLLM writes it."""
        return f"{self.provider}/{self.model}"


def target_of(
    deployment: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]] | None = None
) -> Target:
    """Returns the target of one entry of the router's model_list.

    Args:
        deployment: the entry.
        known: LiteLLM's list of models, which says what each is for.
    """
    parameters = deployment["litellm_params"]
    provider, _, model = str(parameters["model"]).rpartition("/")
    if "/" in provider:  # huggingface/meta-llama/Llama-3.1-8B-Instruct
        provider, _, rest = provider.partition("/")
        model = f"{rest}/{model}"
    provider = parameters.get("custom_llm_provider") or provider or "openai"
    base = parameters.get("api_base") or parameters.get("base_url") or DEFAULT_BASES.get(provider)
    key = parameters.get("api_key")
    full_model = f"{provider}/{model}"
    facts = (known or {}).get(full_model) or (known or {}).get(model) or {}
    mode = deployment["model_info"].get("mode") or facts.get("mode") or "chat"
    return Target(
        deployment=str(deployment["model_info"]["id"]),
        alias=str(deployment["model_name"]),
        provider=provider,
        model=model,
        base=str(base).rstrip("/") if base else None,
        key=str(key) if key else None,
        chats=mode in CHATTING,
        is_free=all(parameters.get(price) == 0 for price in PRICES),
    )


def key_variable(key: str | None, variables: Mapping[str, str]) -> str | None:
    """Returns the name of the variable that holds a key, which a log may name."""
    if not key:
        return None
    names = sorted(name for name, value in variables.items() if value == key)
    named_so = [name for name in names if name.endswith(("_KEY", "_TOKEN"))]
    return next(iter(named_so or names), None)

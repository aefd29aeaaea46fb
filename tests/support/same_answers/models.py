"""The configuration that the gateway and plain LiteLLM both read: one alias for each kind of model.

What differs between the two is the upstream's address alone, which tells the sides apart. Each
alias has a base URL of its own: who breaks a connection is out of reach for all that live there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FAULTY = 8
"""Aliases of each model for requests that their provider fails: one cools down, others answer."""

PRICE = {
    "input_cost_per_token": 3.7e-07,
    "output_cost_per_token": 1.9e-06,
    "cache_read_input_token_cost": 1.1e-07,
}


@dataclass(frozen=True)
class Model:
    """A kind of model.

    Attributes:
        alias: its name in requests.
        parameters: litellm_params, without the address.
        version: what follows the address.
        paths: what it can be asked: chat/completions, completions, embeddings.
    """

    alias: str
    parameters: dict[str, Any]
    version: str
    paths: tuple[str, ...]

    @property
    def faulty(self) -> tuple[str, ...]:
        """The aliases that are asked where their provider fails."""
        return tuple(f"{self.alias}-{number}" for number in range(FAULTY))


V1, V1BETA, BARE = "/v1", "/v1beta", ""
"""What follows the address, in the form of each provider."""


def _model(alias: str, model: str, version: str, *paths: str, **more: Any) -> Model:
    parameters = {"model": model, "api_key": "sk-made-up", **more}
    return Model(alias, parameters, version, paths or ("chat/completions",))


MODELS = (
    _model("openai", "openai/gpt-4o-mini", V1),
    _model("reasoner", "openai/o3-mini", V1),
    _model("newest", "openai/gpt-5-mini", V1),
    _model("own-server", "openai/local-model", V1, **PRICE),
    _model("vllm", "hosted_vllm/some/model", V1, **PRICE),
    _model("not-strict", "openai/gpt-4.1-mini", V1, drop_params=False),
    _model("lmstudio", "lm_studio/some-model", V1, **PRICE),
    _model("ollama", "ollama_chat/llama3.2", BARE, **PRICE),
    _model("claude", "anthropic/claude-haiku-4-5", BARE),
    _model("gemini", "gemini/gemini-2.5-flash", V1BETA),
    _model("router", "huggingface/meta-llama/Llama-3.1-8B-Instruct", V1, **PRICE),
    _model("text", "text-completion-openai/gpt-3.5-turbo-instruct", V1, "completions"),
    _model("vectors", "openai/text-embedding-3-small", V1, "embeddings"),
    _model("old-vectors", "openai/text-embedding-ada-002", V1, "embeddings"),
    _model("ollama-vectors", "ollama/nomic-embed-text", BARE, "embeddings", **PRICE),
    _model("gemini-vectors", "gemini/gemini-embedding-001", V1BETA, "embeddings"),
)
BY_ALIAS = {model.alias: model for model in MODELS}


def configuration(upstream: str) -> dict[str, Any]:
    """Return litellm_config.yaml.

    Args:
        upstream: the address of the scripted upstream, with the side's name.
    """
    return {
        "model_list": [
            {
                "model_name": alias,
                "litellm_params": {
                    **model.parameters,
                    "api_base": f"{upstream}.{alias}{model.version}",
                },
            }
            for model in MODELS
            for alias in (model.alias, *model.faulty)
        ],
        # One attempt each: how often a deployment is asked is failover's, which is ours.
        "router_settings": {"num_retries": 0, "disable_cooldowns": True, "allowed_fails": 10000},
        "litellm_settings": {"drop_params": True},
    }

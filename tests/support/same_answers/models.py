"""The configuration that the gateway and plain LiteLLM both read: one alias for each kind of model.

What differs between the two is the environment alone: the upstream's address has a prefix that
tells the sides apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
        parameters: litellm_params.
        paths: what it can be asked: chat/completions, completions, embeddings.
    """

    alias: str
    parameters: dict[str, Any]
    paths: tuple[str, ...] = ("chat/completions",)
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def faulty(self) -> tuple[str, ...]:
        """The aliases that are asked where their provider fails."""
        return tuple(f"{self.alias}-{number}" for number in range(FAULTY))


def _model(alias: str, model: str, base: str, *paths: str, **more: Any) -> Model:  # noqa: ANN401 -- parameters
    parameters = {
        "model": model,
        "api_base": f"os.environ/{base}",
        "api_key": "sk-made-up",
        "drop_params": True,
        **more,
    }
    return Model(alias, parameters, paths or ("chat/completions",))


MODELS = (
    _model("openai", "openai/gpt-4o-mini", "UPSTREAM_V1"),
    _model("reasoner", "openai/o3-mini", "UPSTREAM_V1"),
    _model("newest", "openai/gpt-5-mini", "UPSTREAM_V1"),
    _model("own-server", "openai/local-model", "UPSTREAM_V1", **PRICE),
    _model("vllm", "hosted_vllm/some/model", "UPSTREAM_V1", **PRICE),
    _model("strict", "openai/gpt-4.1-mini", "UPSTREAM_V1", drop_params=False),
    _model("lmstudio", "lm_studio/some-model", "UPSTREAM_V1", **PRICE),
    _model("ollama", "ollama_chat/llama3.2", "UPSTREAM", **PRICE),
    _model("claude", "anthropic/claude-haiku-4-5", "UPSTREAM"),
    _model("gemini", "gemini/gemini-2.5-flash", "UPSTREAM_V1BETA"),
    _model("router", "huggingface/meta-llama/Llama-3.1-8B-Instruct", "UPSTREAM_V1", **PRICE),
    _model("text", "text-completion-openai/gpt-3.5-turbo-instruct", "UPSTREAM_V1", "completions"),
    _model("vectors", "openai/text-embedding-3-small", "UPSTREAM_V1", "embeddings"),
    _model("old-vectors", "openai/text-embedding-ada-002", "UPSTREAM_V1", "embeddings"),
    _model("ollama-vectors", "ollama/nomic-embed-text", "UPSTREAM", "embeddings", **PRICE),
    _model("gemini-vectors", "gemini/gemini-embedding-001", "UPSTREAM_V1BETA", "embeddings"),
)
BY_ALIAS = {model.alias: model for model in MODELS}


def configuration() -> dict[str, Any]:
    """Return litellm_config.yaml."""
    return {
        "model_list": [
            {"model_name": alias, "litellm_params": model.parameters}
            for model in MODELS
            for alias in (model.alias, *model.faulty)
        ],
        # One attempt each: how often a deployment is asked is failover's, which is ours.
        "router_settings": {"num_retries": 0, "disable_cooldowns": True, "allowed_fails": 10000},
    }


def environment(upstream: str) -> dict[str, str]:
    """Return the variables that the configuration names.

    Args:
        upstream: the address of the scripted upstream, with the side's prefix.
    """
    return {
        "UPSTREAM": upstream,
        "UPSTREAM_V1": f"{upstream}/v1",
        "UPSTREAM_V1BETA": f"{upstream}/v1beta",
    }

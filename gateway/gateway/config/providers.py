"""The providers whose model id and base URL a variable can set."""

from __future__ import annotations

from dataclasses import dataclass

REFERENCE = "os.environ/"
"""How LiteLLM's config names a variable: `api_key: os.environ/OPENAI_API_KEY`."""


@dataclass(frozen=True)
class Provider:
    """One provider.

    Attributes:
        name: the start of its variables: NAME_MODEL, NAME_API_BASE.
        prefix: LiteLLM's name for it, put before a bare model id.
        model: the model id when NAME_MODEL is unset.
        base: the base URL when NAME_API_BASE is unset; None leaves it to LiteLLM.
    """

    name: str
    prefix: str
    model: str
    base: str | None = None

    def model_id(self, given: str | None) -> str:
        """Return LiteLLM's id for what a person wrote, with or without a prefix."""
        model = given or self.model
        # `ollama/` is LiteLLM's older way: /api/generate with a chat template of its own.
        if self.prefix == "ollama_chat" and model.startswith("ollama/"):
            model = model.removeprefix("ollama/")
        return model if model.startswith(f"{self.prefix}/") else f"{self.prefix}/{model}"


PROVIDERS = (
    Provider("OLLAMA", "ollama_chat", "llama3.2", "http://localhost:11434"),
    Provider("OPENAI", "openai", "gpt-4o-mini"),
    Provider("GEMINI", "gemini", "gemini-3.5-flash-lite"),
    Provider("ANTHROPIC", "anthropic", "claude-haiku-4-5"),
    Provider("HUGGINGFACE", "huggingface", "meta-llama/Llama-3.1-8B-Instruct"),
    Provider("LM_STUDIO", "openai", "local-model", "http://localhost:1234/v1"),
)
MODEL_VARIABLES = {f"{provider.name}_MODEL": provider for provider in PROVIDERS}
BASE_VARIABLES = {f"{provider.name}_API_BASE": provider for provider in PROVIDERS}


def referenced(value: object) -> str | None:
    """Return the variable that a config value names, or None when it is a plain value."""
    if isinstance(value, str) and value.startswith(REFERENCE):
        return value.removeprefix(REFERENCE)
    return None

"""Which providers the gateway speaks to itself, and where it finds them.

Everything else goes through LiteLLM's library, in the worker. A provider is in the table when
LiteLLM 1.106.2 sends OpenAI's requests to it as they are: no class of its own that changes
messages or answers, and no parameter that it renames (litellm/llms/*/chat/transformation.py,
llms/openai_like/providers.json, get_llm_provider_logic.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

OPENAI_BASE = "https://api.openai.com/v1"
OLLAMA_BASE = "http://localhost:11434"


@dataclass(frozen=True)
class OpenAIServer:
    """A provider of OpenAI's protocol.

    Attributes:
        base: its base URL; None if the user runs the server and must give its api_base.
        key_variable: where LiteLLM looks for a key that the file does not name.
        base_variables: the same for the base URL.
        placeholder: the key that LiteLLM sends when there is none.
    """

    base: str | None
    key_variable: str | None = None
    base_variables: tuple[str, ...] = ()
    placeholder: str | None = None


OPENAI_PROVIDERS = {
    "openai": OpenAIServer(OPENAI_BASE, "OPENAI_API_KEY", ("OPENAI_BASE_URL", "OPENAI_API_BASE")),
    "text-completion-openai": OpenAIServer(
        OPENAI_BASE, "OPENAI_API_KEY", ("OPENAI_BASE_URL", "OPENAI_API_BASE")
    ),
    "custom_openai": OpenAIServer(
        OPENAI_BASE, "OPENAI_API_KEY", ("OPENAI_BASE_URL", "OPENAI_API_BASE")
    ),
    # servers that users run themselves
    "openai_like": OpenAIServer(None, "OPENAI_LIKE_API_KEY", ("OPENAI_LIKE_API_BASE",)),
    "hosted_vllm": OpenAIServer(
        None, "HOSTED_VLLM_API_KEY", ("HOSTED_VLLM_API_BASE",), "fake-api-key"
    ),
    "lm_studio": OpenAIServer(None, "LM_STUDIO_API_KEY", ("LM_STUDIO_API_BASE",), "fake-api-key"),
    "llamafile": OpenAIServer(
        "http://127.0.0.1:8080/v1", "LLAMAFILE_API_KEY", ("LLAMAFILE_API_BASE",), "fake-api-key"
    ),
    # those of providers.json that rename nothing
    "veniceai": OpenAIServer("https://api.venice.ai/api/v1", "VENICE_AI_API_KEY"),
    "scaleway": OpenAIServer("https://api.scaleway.ai/v1", "SCW_SECRET_KEY"),
    "abliteration": OpenAIServer("https://api.abliteration.ai/v1", "ABLITERATION_API_KEY"),
    "gmi": OpenAIServer("https://api.gmi-serving.com/v1", "GMI_API_KEY"),
    "assemblyai": OpenAIServer("https://llm-gateway.assemblyai.com/v1", "ASSEMBLYAI_API_KEY"),
    "aihubmix": OpenAIServer("https://aihubmix.com/v1", "AIHUBMIX_API_KEY", ("AIHUBMIX_API_BASE",)),
    "cognition": OpenAIServer(
        "https://api.cognition.ai/v1", "COGNITION_API_KEY", ("COGNITION_API_BASE",)
    ),
    "cortecs": OpenAIServer("https://api.cortecs.ai/v1", "CORTECS_API_KEY", ("CORTECS_API_BASE",)),
    "prism": OpenAIServer(
        "https://api.prisminference.com/v1", "PRISM_API_KEY", ("PRISM_API_BASE",)
    ),
    "reka": OpenAIServer("https://api.reka.ai/v1", "REKA_API_KEY", ("REKA_API_BASE",)),
}

OLLAMA_PROVIDERS = frozenset({"ollama_chat", "ollama"})

_REASONS = re.compile(r"(^|/)(o[1-9](-|$)|gpt-[5-9])")
_SPOKEN = re.compile(r"audio")


def needs_translation(provider: str, model: str, base: str | None, mode: str) -> str | None:
    """Return why LiteLLM changes requests to a model of OpenAI's protocol; None when it does not.

    OpenAI's reasoning models refuse `max_tokens`, `temperature` and others, which LiteLLM renames
    or drops (llms/openai/chat/o_series_transformation.py, gpt_5_transformation.py), and take tools
    at /responses alone (main.py, responses_api_bridge_check).
    """
    if mode == "responses" or model.startswith("responses/"):
        return "it answers at /responses only"
    if provider not in {"openai", "custom_openai"}:
        return None
    host = urlsplit(base or OPENAI_BASE).hostname or ""
    if not (host == "api.openai.com" or host.endswith(".api.openai.com")):
        return None
    if _REASONS.search(model):
        return "OpenAI's reasoning models refuse parameters that others take"
    if _SPOKEN.search(model) and mode == "chat":
        return "it answers with audio"
    return None

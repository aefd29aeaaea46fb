"""Hugging Face, spoken to as what it is: a server of OpenAI's protocol.

LiteLLM's own provider `huggingface/` books every answer at 0 USD, whatever price is set, and asks
huggingface.co for the model's config.json before it does (litellm/utils.py of 1.106.2,
_get_model_info_helper). It also sends its own max_retries along in the body of each request.
"""

from __future__ import annotations

from typing import Any

PREFIX = "huggingface/"
ROUTER = "https://router.huggingface.co/v1"
"""https://huggingface.co/docs/inference-providers/tasks/chat-completion"""

_CHAT = "/chat/completions"
_PARTS_WITH_PROVIDER = 3


def as_openai(deployment: dict[str, Any]) -> dict[str, Any]:
    """Return a chat deployment of `huggingface/` as one of `openai/`, any other as it is.

    The model and base URL may be written as LiteLLM takes them: PROVIDER/ORGANISATION/MODEL, and
    a dedicated endpoint with or without /v1.
    """
    parameters = deployment["litellm_params"]
    model = str(parameters["model"])
    mode = (deployment.get("model_info") or {}).get("mode", "chat")
    if not model.startswith(PREFIX) or mode != "chat":
        return deployment
    base = _base(parameters.get("api_base"))
    name = model.removeprefix(PREFIX)
    if base == ROUTER:
        name = _name_at_router(name)
    return deployment | {
        "litellm_params": parameters | {"model": f"openai/{name}", "api_base": base}
    }


def _base(given: str | None) -> str:
    if not given:
        return ROUTER
    base = given.rstrip("/").removesuffix(_CHAT)
    return base if base.endswith("/v1") else f"{base}/v1"


def _name_at_router(name: str) -> str:
    """Return the router's name: deepseek-ai/R1:together for together/deepseek-ai/R1."""
    parts = name.split("/")
    if len(parts) != _PARTS_WITH_PROVIDER:
        return name
    provider, organisation, model = parts
    return f"{organisation}/{model}:{provider}"

"""The wire formats, one module a provider, and which of them a request speaks."""

from collections.abc import Mapping

from scripted_upstream.exchange import Call, Format
from scripted_upstream.formats.anthropic import Anthropic
from scripted_upstream.formats.gemini import Gemini
from scripted_upstream.formats.huggingface import HuggingFace
from scripted_upstream.formats.ollama import Ollama
from scripted_upstream.formats.openai import OpenAI
from scripted_upstream.script import Provider

FORMATS: dict[Provider, Format] = {
    "openai": OpenAI(),
    "anthropic": Anthropic(),
    "gemini": Gemini(),
    "huggingface": HuggingFace(),
    "ollama": Ollama(),
}


def any_key(headers: Mapping[str, str]) -> str:
    """Return the API key that a request brings, in whichever header, or ""."""
    return next((key for form in FORMATS.values() if (key := form.key(headers))), "")


def recognise(call: Call, provider: Provider | None) -> tuple[Format, bool]:
    """Return the format of a request, and whether that format has such an endpoint.

    The path tells most of them apart. Hugging Face's router speaks OpenAI's protocol and is known
    by its keys (hf_…), unless the upstream is said to be one or the other.
    """
    if provider is not None:
        return FORMATS[provider], FORMATS[provider].knows(call)
    by_path: tuple[Provider, ...] = ("anthropic", "gemini", "ollama")
    for name in by_path:
        if FORMATS[name].knows(call):
            return FORMATS[name], True
    router = FORMATS["huggingface"]
    chosen = router if router.key(call.headers).startswith("hf_") else FORMATS["openai"]
    return chosen, chosen.knows(call)

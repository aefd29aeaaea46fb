"""Hugging Face's router: OpenAI's protocol with error bodies of its own.

LiteLLM asks POST {api_base}/v1/chat/completions, or without an api_base
https://router.huggingface.co/{provider}/v1/chat/completions; some providers have other paths
before /chat/completions (novita: /v3/openai, fireworks-ai: /inference/v1). All of them end alike.
https://huggingface.co/docs/inference-providers/tasks/chat-completion
"""

from scripted_upstream.exchange import Failure, Json
from scripted_upstream.formats.openai import OpenAI
from scripted_upstream.script import Provider


class HuggingFace(OpenAI):
    """As OpenAI, but an error is a string."""

    provider: Provider = "huggingface"

    def failure(self, failure: Failure) -> Json:
        """Return {"error": message}."""
        return {"error": failure.message}

"""Hugging Face's router: OpenAI's protocol under several paths, with errors of its own."""

from __future__ import annotations

import pytest

from .running import TEXT, Running


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/together/v1/chat/completions",
        "/novita/v3/openai/chat/completions",
        "/fireworks-ai/inference/v1/chat/completions",
        "/hf-inference/models/meta-llama/Llama-3.1-8B-Instruct/v1/chat/completions",
    ],
)
def test_answers_under_every_path_of_the_router(upstream: Running, path: str) -> None:
    """Each path that LiteLLM builds for the router is answered."""
    answer = upstream.chat(path=path, key="hf_test", model="meta-llama/Llama-3.1-8B-Instruct")

    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    assert upstream.last()["provider"] == "huggingface"


def test_is_known_by_its_keys_or_by_the_script(upstream: Running) -> None:
    """A key hf_… makes a request Hugging Face's, and so does an upstream that is said to be it."""
    upstream.script("upstreams: {hf: {provider: huggingface}}")

    upstream.chat(key="hf_test")
    upstream.chat(key="sk-test")
    upstream.chat(key="sk-test", path="/u/hf/v1/chat/completions")

    providers = [each["provider"] for each in upstream.journal()]
    assert providers == ["huggingface", "openai", "huggingface"]


def test_errors_are_strings(upstream: Running) -> None:
    """An error is a string, as the router has it."""
    upstream.script("rules: [{do: {error: unauthorized}}]")

    answer = upstream.chat(key="hf_test")

    assert answer.status_code == 401
    assert answer.json() == {"error": "Invalid username or password."}

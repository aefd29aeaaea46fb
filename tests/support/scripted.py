"""A gateway whose providers are the scripted upstream of profile faults, asked over HTTP."""

from __future__ import annotations

from typing import Any

import requests
import yaml

from support.stack import Stack

SCRIPTED_PROVIDERS = {
    "COMPOSE_PROFILES": "faults",
    "OPENAI_API_KEY": "sk-scripted-0123456789",
    "OPENAI_API_BASE": "http://scripted-upstream:9000/v1",
    "OLLAMA_API_BASE": "http://scripted-upstream:9000",
    "EXTRACTION_FALLBACKS": "none",
    "EXPLANATION_FALLBACKS": "none",
    # Rows older than this are none but those of the test that makes them.
    "SPEND_RETENTION": "9999d",
    "SPEND_RETENTION_CRON": "* * * * *",
}
PRICED = "extraction-model-openai"
"""An alias of gpt-4o-mini: 0.15 USD for a million tokens of input, 0.60 USD of output."""

FREE = "extraction-model"
TRANSLATED = "extraction-model-claude"
"""An alias that the gateway asks through its worker; needs TRANSLATED_PROVIDER."""

TRANSLATED_PROVIDER = {
    "ANTHROPIC_API_KEY": "sk-ant-scripted-0123456789",
    "ANTHROPIC_API_BASE": "http://scripted-upstream:9000",
}
ANSWER_SECONDS = 60


def ask(stack: Stack, key: str, model: str = PRICED, **body: Any) -> requests.Response:
    """Ask a model one thing with a key and return the gateway's answer, whatever its status."""
    message = {"role": "user", "content": "Hallo"}
    return requests.post(
        f"{stack.gateway_url}/v1/chat/completions",
        json={"model": model, "messages": [message], "max_tokens": 5, **body},
        headers={"Authorization": f"Bearer {key}"},
        timeout=ANSWER_SECONDS,
    )


def play(stack: Stack, script: dict[str, Any]) -> None:
    """Put a script in force in the upstream; an empty one answers everything."""
    answer = requests.put(
        f"{control(stack)}/script", data=yaml.safe_dump(script), timeout=ANSWER_SECONDS
    )
    assert answer.ok, answer.text


def ledger(stack: Stack) -> dict[str, Any]:
    """Return what the upstream would bill since its start."""
    counted: dict[str, Any] = requests.get(
        f"{control(stack)}/ledger", timeout=ANSWER_SECONDS
    ).json()
    return counted


def control(stack: Stack) -> str:
    """Return the address under which the upstream takes scripts and tells of requests."""
    return f"http://{stack.address('scripted-upstream')}:9000/_control"

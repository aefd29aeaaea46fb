"""Which variables hold providers' keys: LiteLLM's proxy gets none of them.

Its container has none of them. Without a container, LiteLLM's proxy would inherit the gateway's
shell and .env.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.provider_table import OPENAI_PROVIDERS
from gateway.config.providers import PROVIDERS, referenced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OF_PROVIDERS = ("model_list", "credential_list", "environment_variables", "router_settings")
"""Top-level keys of litellm_config.yaml that LiteLLM's proxy does not see either."""

KNOWN = frozenset(
    {
        *(f"{provider.name}_API_KEY" for provider in PROVIDERS),
        *(each.key_variable for each in OPENAI_PROVIDERS.values() if each.key_variable),
        "HF_TOKEN",
    }
)
"""What is read without being named in the file."""


def provider_variables(document: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of variables that hold something for a provider.

    Args:
        document: litellm_config.yaml as it was read. A variable that it names elsewhere too, for a
            guardrail or a callback, is LiteLLM's.
    """
    ours, theirs = set(KNOWN), set[str]()
    for name, value in document.items():
        (ours if name in OF_PROVIDERS else theirs).update(_named(value))
    return frozenset(ours - theirs)


def _named(value: object) -> Iterator[str]:
    """Yield every variable that is named in a part of the file."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _named(each)
    elif isinstance(value, list):
        for each in value:
            yield from _named(each)
    elif (name := referenced(value)) is not None:
        yield name

"""`gateway key`: what a person needs to call the API."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from gateway.config.settings import Settings


@dataclass(frozen=True)
class Access:
    """An address and a key for it."""

    base_url: str
    api_key: str
    is_master: bool

    def as_json(self) -> str:
        """Return it for programs."""
        return json.dumps({"base_url": self.base_url, "api_key": self.api_key}, indent=2)

    def as_shell(self) -> str:
        """Return lines that a shell can evaluate, with comments on how to use them."""
        root = self.base_url.removesuffix("/v1")
        whose = "the master key: no budget limits it" if self.is_master else "the backend's key"
        return "\n".join(
            [
                f"export OPENAI_BASE_URL={shlex.quote(self.base_url)}",
                f"export OPENAI_API_KEY={shlex.quote(self.api_key)}",
                f'# {whose}; models: curl -H "Authorization: Bearer $OPENAI_API_KEY" {root}/models',
                f"# admin pages: {root}/ui, user admin, password: what `key --master` prints",
            ]
        )


def access(settings: Settings, *, master: bool, base_url: str | None) -> Access:
    """Return how to reach the API.

    Raises:
        ConfigurationError: the key asked for is not set.
    """
    secret = settings.litellm_master_key if master else settings.backend_virtual_key
    if secret is None:
        variable = "LITELLM_MASTER_KEY" if master else "BACKEND_VIRTUAL_KEY"
        raise ConfigurationError(
            [Problem(variable, "is unset", f"set {variable} or {variable}_FILE")]
        )
    return Access(api_url(settings, base_url), secret.get_secret_value(), is_master=master)


def api_url(settings: Settings, base_url: str | None) -> str:
    """Return what OpenAI's clients call the base URL, from the one given or the settings'."""
    root = base_url or settings.gateway_public_url or f"http://localhost:{settings.port}"
    return f"{root.rstrip('/').removesuffix('/v1')}/v1"

"""A client of the running gateway, over HTTP and with the master key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from gateway.config.settings import Settings

TIMEOUT = 30.0


class GatewayAnswerError(Exception):
    """The gateway does not answer, or refuses; says so in words."""


def client(settings: Settings, *, timeout: float = TIMEOUT) -> httpx.Client:
    """Return a client of the gateway's own address; its requests carry the master key."""
    headers = {}
    if settings.litellm_master_key is not None:
        headers["authorization"] = f"Bearer {settings.litellm_master_key.get_secret_value()}"
    return httpx.Client(
        base_url=f"http://127.0.0.1:{settings.port}", headers=headers, timeout=timeout
    )


def get(gateway: httpx.Client, path: str, **parameters: str) -> dict[str, Any]:
    """Return the JSON object that a path answers.

    Raises:
        GatewayAnswerError: there is no answer, or one that is not a success.
    """
    try:
        response = gateway.get(path, params=parameters)
    except httpx.HTTPError as error:
        raise unreachable(gateway, error) from error
    if not response.is_success:
        raise GatewayAnswerError(f"the gateway refused {path}: {said(response)}")
    data: dict[str, Any] = response.json()
    return data


def unreachable(gateway: httpx.Client, error: Exception) -> GatewayAnswerError:
    """Return the error for a gateway that does not answer."""
    reason = str(error) or type(error).__name__
    return GatewayAnswerError(
        f"the gateway at {gateway.base_url} does not answer: {reason}\n"
        "    check that it runs: `./run status`"
    )


def said(response: httpx.Response) -> str:
    """Return the status and the words of an answer in OpenAI's error form, in one line."""
    try:
        words = str(response.json()["error"]["message"]).split()
    except (ValueError, KeyError, TypeError):
        words = response.text.split()
    return f"{' '.join(words)[:500]} ({response.status_code})"

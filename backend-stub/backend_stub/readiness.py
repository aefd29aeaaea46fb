"""Whether the gateway is ready, asked at its own open and free health endpoint."""

import httpx

from backend_stub.failures import RETRY_AFTER, ServiceError

_LIMIT = 2
"""Seconds: a check that hangs would hide what it looks for."""


async def ask_gateway(client: httpx.AsyncClient, gateway_url: str) -> None:
    """Return when the gateway's GET /health answers 200.

    Raises:
        ServiceError: 503, with the reasons that the gateway gives.
    """
    try:
        answer = await client.get(f"{gateway_url}/health", timeout=_LIMIT)
    except httpx.HTTPError as error:
        raise _not_ready(f"no answer ({type(error).__name__})") from error
    if answer.status_code != httpx.codes.OK:
        raise _not_ready(_reasons(answer) or f"status {answer.status_code}")


def _not_ready(why: str) -> ServiceError:
    return ServiceError(
        503, "gateway_not_ready", f"the gateway is not ready: {why}", retry_after=str(RETRY_AFTER)
    )


def _reasons(answer: httpx.Response) -> str:
    try:
        reasons = answer.json()["reasons"]
    except (ValueError, KeyError, TypeError):
        return ""
    return "; ".join(map(str, reasons)) if isinstance(reasons, list) else ""

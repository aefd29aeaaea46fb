"""The response headers that say which deployment answered, and after which attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.request import Attempt, Request


def response_headers(request: Request) -> dict[str, str]:
    """Return the headers of a response, whether a deployment answered or not.

    The gateway's own headers:
    - x-gateway-alias, -model and -deployment name what was asked last.
    - -fallback is `false`, or `true; from=ALIAS` with the alias that the caller named.
    - -attempts counts every call, including repairs; -outcomes has the outcome of each, in order.
    - -cost is what the answer cost in USD: 0 if it is free. There is no header if no price is
      known, or if the cost is not known yet, as for a stream.
    - -wasted-cost is what the other attempts cost.

    LiteLLM's headers follow LiteLLM 1.106.2 (proxy/common_request_processing.py
    `get_custom_headers`, router.py `set_response_headers`,
    router_utils/add_retry_fallback_headers.py). Only an answer has -model-id and the like.
    -response-cost is there if the cost is known and not 0; for an error it is 0.
    """
    attempts = request.attempts
    if not attempts:
        return {
            "x-gateway-attempts": "0",
            "x-gateway-fallback": "false",
            "x-gateway-alias": _ascii(request.alias),
            "x-litellm-call-id": _ascii(request.id),
            "x-litellm-response-cost": "0",
        }
    last = attempts[-1]
    deployment = last.deployment
    asked = _ascii(request.alias)
    alias = _ascii(deployment.alias)
    model = _ascii(deployment.full_model)
    identifier = _ascii(deployment.id)
    headers = {
        "x-gateway-attempts": str(len(attempts)),
        "x-gateway-fallback": f"true; from={asked}" if request.fell_back else "false",
        "x-gateway-alias": alias,
        "x-gateway-deployment": identifier,
        "x-gateway-model": model,
        "x-gateway-outcomes": _outcomes(attempts),
        "x-litellm-call-id": _ascii(request.id),
    }
    bill = last.bill
    if last.failure is not None or last.broke_schema:
        headers["x-litellm-response-cost"] = "0"
        wasted = request.cost
    else:
        headers["x-litellm-model-id"] = identifier
        headers["x-litellm-model-name"] = model
        headers["x-litellm-model-group"] = alias
        if deployment.base:
            headers["x-litellm-model-api-base"] = _ascii(deployment.base.partition("?")[0])
        headers["x-litellm-attempted-retries"] = _retries(attempts)
        headers["x-litellm-attempted-fallbacks"] = _fallbacks(request)
        if bill is not None and bill.priced and not request.stream:
            headers["x-gateway-cost"] = str(bill.cost)
            if bill.cost:
                headers["x-litellm-response-cost"] = str(bill.cost)
        wasted = request.wasted_cost if len(attempts) > 1 else 0.0
    if wasted:
        headers["x-gateway-wasted-cost"] = f"{wasted:.10f}"
    return headers


def _outcomes(attempts: list[Attempt]) -> str:
    if len(attempts) == 1:
        return attempts[0].outcome
    return ",".join(attempt.outcome for attempt in attempts)


def _retries(attempts: list[Attempt]) -> str:
    """Return how many attempts failed at the alias that answered, as LiteLLM counts retries."""
    if len(attempts) == 1:
        return "0"
    alias = attempts[-1].deployment.alias
    failed = [each for each in attempts if each.failure and each.deployment.alias == alias]
    return str(len(failed))


def _fallbacks(request: Request) -> str:
    """Return how many other aliases were asked; an alias in cooldown was not."""
    if len(request.attempts) == 1:
        return "1" if request.fell_back else "0"
    return str(len({request.alias, *(each.deployment.alias for each in request.attempts)}) - 1)


def _ascii(value: str) -> str:
    """Return text that a header may hold: an alias comes from the caller, and need not be ASCII."""
    if value.isascii() and value.isprintable():
        return value if len(value) <= 1000 else value[:1000]  # noqa: PLR2004 -- what a client reads
    return "".join(c if c.isprintable() and c.isascii() else "?" for c in value[:1000])

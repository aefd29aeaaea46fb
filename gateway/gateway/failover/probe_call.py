"""A look at a deployment that costs a token: whether it answers again.

A list of models is answered by other machines than a chat; after a hang or 500s only a chat shows
the end of it, and a user's request should not be the one that finds out. Such a call is booked as
LiteLLM books its own health checks, on the account `litellm-internal-health-check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from gateway.failover.deployment_state import PROBES_CANNOT_SEE
from gateway.failover.failure import FailureKind, failure_of
from gateway.failover.record import begin_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.failover.failure import Failure
    from gateway.failover.target import Target

    ProbeCalls = Literal["all", "free", "off"]

QUESTION = [{"role": "user", "content": "Hi"}]
SECONDS = 30.0
"""How long one may take. The next begins before, so a deployment that is back is seen by that."""

AT_ONCE = 6
"""Calls to one deployment that may be under way."""


def takes_probe_calls(target: Target, allowed: ProbeCalls) -> bool:
    """Returns whether a deployment may be asked for a token.

    Args:
        target: the deployment; one that does not chat (embeddings) is never asked.
        allowed: `all`, `free` (those whose price is set to 0) or `off`.
    """
    return target.chats and (allowed == "all" or (allowed == "free" and target.is_free))


def changes_nothing(failure: Failure) -> bool:
    """Returns whether a probe call's failure only says that what it looks for has not ended.

    A refused key, a rate limit or a Retry-After says more, and is believed like any other's.
    """
    still_out = PROBES_CANNOT_SEE | {FailureKind.UNREACHABLE}
    return failure.kind in still_out and failure.retry_after is None


async def answers(target: Target, router: Any) -> bool:  # noqa: ANN401 -- LiteLLM is not typed
    """Returns whether a deployment answers a chat of one token; a refusal is an answer, too.

    Args:
        target: the deployment.
        router: LiteLLM's; its hooks take note of the answer, and of a failure that is news.
    """
    begin_record(target.alias, is_probe=True)
    try:
        # One attempt: what stands above it retries, falls back and books on the deployment's id.
        await router._acompletion(  # noqa: SLF001 -- see attempt.py
            target.deployment, QUESTION, max_tokens=1, timeout=SECONDS, metadata=_booked_on(target)
        )
    except Exception as error:  # noqa: BLE001 -- LiteLLM's are as many as its providers
        return failure_of(error).kind is FailureKind.REQUEST
    return True


def _booked_on(target: Target) -> Mapping[str, Any]:
    """Returns the metadata of a call that is one of LiteLLM's health checks of this alias.

    As `update_model_params_with_health_check_tracking_information` in
    litellm/litellm_core_utils/health_check_helpers.py does.
    """
    from litellm.constants import (  # noqa: PLC0415 -- LiteLLM is imported late
        LITTELM_INTERNAL_HEALTH_SERVICE_ACCOUNT_NAME,
    )
    from litellm.proxy._types import UserAPIKeyAuth  # noqa: PLC0415 -- as above
    from litellm.proxy.litellm_pre_call_utils import (  # noqa: PLC0415 -- as above
        LiteLLMProxyRequestSetup,
    )

    account = LITTELM_INTERNAL_HEALTH_SERVICE_ACCOUNT_NAME
    booked = LiteLLMProxyRequestSetup.add_user_api_key_auth_to_request_metadata(
        data={"metadata": {"tags": [account], "model_group": target.alias}},
        user_api_key_dict=UserAPIKeyAuth.get_litellm_internal_health_check_user_api_key_auth(),
        _metadata_variable_name="metadata",
    )
    metadata: Mapping[str, Any] = booked["metadata"]
    return metadata

"""Failover in LiteLLM's router: who is asked, who is not, and what the caller learns of it.

`failover.py` ties it together; `install` puts it into the running process. A deployment's life is
in `deployment_state.py`, what a failure means in `failure.py`, the free look at those out of use in
`probe.py` and `registry.py`; `attempt.py` makes one attempt, with `stream_guard.py` and
`schema_check.py`; `callback.py` holds LiteLLM's hooks, `report.py` what they tell.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gateway.failover.settings import FailoverSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.failover.callback import Trace
    from gateway.failover.failover import Failover

__all__ = ["FailoverSettings", "install"]


def install(
    settings: FailoverSettings, say: Callable[[str, str], None], trace: Trace | None = None
) -> Failover:
    """Returns failover, installed in LiteLLM; it imports LiteLLM.

    To be called once, after `litellm.proxy.proxy_server` is imported and before it serves. It
    finds the proxy's router at the first request; `attach(proxy_server.llm_router)` once that has
    started shows the deployments in `status()` before.

    Args:
        settings: of failover.
        say: writes an event for people to the log, with its level.
        trace: writes the trace of a request that ended; None when nobody wants it.
    """
    import litellm  # noqa: PLC0415 -- seconds

    from gateway.failover.failover import Failover  # noqa: PLC0415 -- imports LiteLLM

    failover = Failover(settings, say, _write, trace)
    litellm.logging_callback_manager.add_litellm_callback(failover.callback)
    return failover


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()

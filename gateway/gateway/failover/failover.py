"""Ties the parts together: one object for the life of the process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from gateway.failover.attempt import AttemptRunner
from gateway.failover.callback import FailoverCallback
from gateway.failover.deployment_state import Condition
from gateway.failover.probe_call import answers
from gateway.failover.registry import CLOCK, Registry
from gateway.failover.target import key_variable, target_of
from gateway.failover.version_guard import READ_FOR, changed_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.failover.callback import Trace
    from gateway.failover.registry import Member
    from gateway.failover.settings import FailoverSettings

KEEP_OUT_SECONDS = 24 * 3600
"""How long LiteLLM keeps a deployment out by itself; a probe ends it long before."""


class Failover:
    """Failover in LiteLLM's router.

    Args:
        settings: of failover.
        say: writes an event for people to the log, with its level.
        write: writes a ready line to the log.
        trace: writes the trace of a request that ended; None when nobody wants it.
    """

    def __init__(
        self,
        settings: FailoverSettings,
        say: Callable[[str, str], None],
        write: Callable[[str], None],
        trace: Trace | None = None,
    ) -> None:
        self._settings = settings
        self._say = say
        self._router: Any = None
        self._told_of_key: set[str] = set()
        self.registry = Registry(
            settings, self._changed, lambda target: answers(target, self._router)
        )
        self.callback = FailoverCallback(
            self.registry,
            self._follow_proxy,
            lambda: getattr(self._router, "fallbacks", None),
            write,
            json_logs=settings.json_logs,
            trace=trace,
        )

    def attach(self, router: Any) -> None:  # noqa: ANN401 -- LiteLLM is not typed
        """Takes over a router's failover; may be called again, with the same or another."""
        if router is not self._router:
            self._router = router
            # One policy decides who is out of use. LiteLLM's own does not see a refused connection
            # and spares an alias with one deployment: https://github.com/BerriAI/litellm/issues/27362
            router.disable_cooldowns = True
            changed = changed_sources(type(router))
            if changed:
                self._say(
                    f"failover was read for LiteLLM {READ_FOR}, this one differs in "
                    f"{', '.join(changed)}: streams and schemas are left to LiteLLM",
                    "ERROR",
                )
            else:
                call = router._acompletion  # noqa: SLF001 -- see version_guard.py
                runner = AttemptRunner(call, self.registry, self._settings)
                router._acompletion = runner.wrapped()  # noqa: SLF001 -- as above
        from litellm import model_cost  # noqa: PLC0415 -- imported long before

        self.registry.learn(target_of(each, model_cost) for each in router.model_list)

    def status(self) -> list[dict[str, Any]]:
        """Returns one entry for each deployment: which it is, and how it is."""
        return [_status(member) for member in self.registry]

    def _follow_proxy(self) -> None:
        """The proxy makes its router late, and another when models are kept in the database."""
        from litellm.proxy import proxy_server  # noqa: PLC0415 -- imported long before

        router = proxy_server.llm_router
        if router is None:
            return
        if router is not self._router or not self.registry.knows(map(_id_of, router.model_list)):
            self.attach(router)

    def _changed(self, member: Member) -> None:
        """Keeps a deployment out of LiteLLM's routing, or lets it in again; says so."""
        cooldowns = self._router.cooldown_cache
        target, state = member.target, member.state
        if state.is_up:
            cooldowns.cooldown_store.delete_cache(
                cooldowns.get_cooldown_cache_key(target.deployment)
            )
            self._say(f"{target.alias} ({target.full_model}) is back in use", "INFO")
            return
        cooldowns.add_deployment_to_cooldown(
            model_id=target.deployment,
            original_exception=RuntimeError(str(state.failure)),
            exception_status=503,
            cooldown_time=KEEP_OUT_SECONDS,
        )
        if state.condition is Condition.UNAUTHORISED:
            self._tell_of_key(member)
        else:
            self._say(
                f"{target.alias} ({target.full_model}) is out of use: {state.failure}", "WARNING"
            )

    def _tell_of_key(self, member: Member) -> None:
        """Says once which key was refused, and never the key."""
        target = member.target
        if target.deployment in self._told_of_key:
            return
        self._told_of_key.add(target.deployment)
        variable = key_variable(target.key, os.environ) or "its api_key"
        self._say(
            f"{target.alias} ({target.full_model}) is out of use: the provider refused the key in "
            f"{variable} ({member.state.failure}); set a valid one and restart",
            "ERROR",
        )


def _id_of(deployment: Mapping[str, Any]) -> str:
    return str(deployment["model_info"]["id"])


def _status(member: Member) -> dict[str, Any]:
    target, state = member.target, member.state
    return {
        "alias": target.alias,
        "deployment": target.deployment,
        "model": target.full_model,
        "condition": state.condition.value,
        "reason": None if state.is_up else str(state.failure),
        "key": key_variable(target.key, os.environ),
        "seconds": round(CLOCK() - state.since, 1) if state.since else None,
        "retry_in": round(state.retry_in(CLOCK()), 1),
    }

"""Which aliases are tried after one that did not answer.

Source: LiteLLM 1.106.2, router.py `async_function_with_fallbacks_common_utils` and
router_utils/fallback_event_handlers.py. A request's own list holds for every kind of failure. If
there are chains for prompts that are too long, only these hold for such a failure, whatever the
alias. The same is true of prompts that a filter refuses. Otherwise the general chains hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.routing.failure import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.deployment import Models, RouterSettings
    from gateway.request import Request

EVERY_ALIAS = "*"


class FallbackRules:
    """The configured chains.

    Args:
        router: the settings that have the chains.
    """

    def __init__(self, router: RouterSettings) -> None:
        self._general = dict(router.fallbacks)
        if router.default_fallbacks:
            self._general.setdefault(EVERY_ALIAS, router.default_fallbacks)
        self._by_refusal = {
            Refusal.CONTEXT_WINDOW: router.context_window_fallbacks,
            Refusal.CONTENT_POLICY: router.content_policy_fallbacks,
        }

    def after(self, alias: str, request: Request, refusal: Refusal | None) -> tuple[str, ...]:
        """Return the aliases to try after another one, in order.

        Args:
            alias: the alias that did not answer. If it has no chain, the chain of the alias that
                the request named holds.
            request: the request.
            refusal: why a provider refused the request; None for every other failure.
        """
        controls = request.controls
        if controls.disable_fallbacks:
            return ()
        if controls.fallbacks is not None:
            return controls.fallbacks
        chains = (self._by_refusal[refusal] if refusal else None) or self._general
        return _found(chains, alias, request.alias)


def _found(chains: Mapping[str, tuple[str, ...]], *names: str) -> tuple[str, ...]:
    for name in (*names, EVERY_ALIAS):
        if name in chains:
            return chains[name]
    return ()


def reachable(models: Models, request: Request) -> frozenset[str]:
    """Return every alias that may answer a request: the one it names, and all its fallbacks."""
    router = models.router
    controls = request.controls
    if controls.disable_fallbacks:
        return frozenset({request.alias})
    if controls.fallbacks is not None:
        return frozenset({request.alias, *controls.fallbacks})
    chains = (router.fallbacks, router.context_window_fallbacks, router.content_policy_fallbacks)
    found: set[str] = set()
    waiting = [request.alias]
    while waiting:
        alias = waiting.pop()
        if alias in found:
            continue
        found.add(alias)
        waiting += router.default_fallbacks
        for chain in chains:
            waiting += chain.get(alias) or chain.get(EVERY_ALIAS) or ()
    return frozenset(found)

"""What a request that was admitted holds, until it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.access.caller import Position
    from gateway.limits.account import Account
    from gateway.limits.limits import Limits
    from gateway.limits.window import Window


class Reservation:
    """A request's place in the budgets and limits of its caller; settle or release it, once."""

    __slots__ = ("_accounts", "_bound", "_held", "_limits")

    def __init__(
        self,
        limits: Limits,
        accounts: Sequence[Account],
        bound: float,
        held: Sequence[tuple[Window, int]],
    ) -> None:
        self._limits: Limits | None = limits
        self._accounts = accounts
        self._bound = bound
        self._held = held

    @property
    def headers(self) -> dict[str, str]:
        """What is left of the limits as they are now, by the names of LiteLLM's response headers.

        For a caller without limits there are none. LiteLLM: parallel_request_limiter_v3.py,
        `_merge_ratelimit_statuses_into_additional_headers`.
        """
        found: dict[str, str] = {}
        for account in self._accounts:
            window, parallel, name = account.window, account.max_parallel, account.header
            if window is not None and window.rpm is not None:
                found[f"{name}-remaining-requests"] = str(max(0, window.rpm - window.requests))
                found[f"{name}-limit-requests"] = str(window.rpm)
            if window is not None and window.tpm is not None:
                left = max(0, window.tpm - window.tokens - window.held)
                found[f"{name}-remaining-tokens"] = str(left)
                found[f"{name}-limit-tokens"] = str(window.tpm)
            if parallel is not None:
                found[f"{name}-remaining-max_parallel_requests"] = str(
                    max(0, parallel - account.open)
                )
                found[f"{name}-limit-max_parallel_requests"] = str(parallel)
        return found

    def settle(self, cost: float, tokens: int, position: Position | None) -> None:
        """Put the exact cost in the place of the bound, and let in who waits for the difference.

        Once more, and after `release`, it does nothing.

        Args:
            cost: US dollars.
            tokens: that were used.
            position: of the cost in the journal; None when it stands in none.
        """
        limits, self._limits = self._limits, None
        if limits is not None:
            limits.close(self._accounts, self._bound, self._held)
            limits.book(self._accounts, cost, tokens, position, bound=self._bound)

    def release(self) -> None:
        """Give everything back: nothing was produced. The request still counts for its minute."""
        limits, self._limits = self._limits, None
        if limits is not None:
            limits.close(self._accounts, self._bound, self._held)
            limits.wake(self._accounts)

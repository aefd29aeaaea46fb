"""What an admitted request holds of budgets and limits until it ends."""

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
        """LiteLLM's response headers for the limits: what is left now, and the limit itself.

        A caller without limits gets none. LiteLLM: parallel_request_limiter_v3.py,
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
        """Replace the bound with the exact cost, and admit requests that wait for the difference.

        A second call does nothing, nor does a call after `release`.

        Args:
            cost: US dollars.
            tokens: the number of tokens used.
            position: the cost's position in the journal; None when it is not in a journal.
        """
        limits, self._limits = self._limits, None
        if limits is not None:
            limits.close(self._accounts, self._bound, self._held)
            limits.book(self._accounts, cost, tokens, position, bound=self._bound)

    def release(self) -> None:
        """Give everything back, because nothing was produced.

        The request still counts towards the requests of its minute.
        """
        limits, self._limits = self._limits, None
        if limits is not None:
            limits.close(self._accounts, self._bound, self._held)
            limits.wake(self._accounts)

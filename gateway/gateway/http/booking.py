"""Between an answer and its last byte: what it cost goes into the journal and off the budget."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gateway.errors import UnavailableError
from gateway.spend_journal.record import records_of

if TYPE_CHECKING:
    from gateway.access.caller import Position
    from gateway.limits.limits import Reservation
    from gateway.request import Request
    from gateway.spend_journal.spend_journal import SpendJournal

LOG = logging.getLogger(__name__)


class Booking:
    """The costs of one request.

    Args:
        request: whose attempts are paid for.
        reservation: what its caller has set aside.
        journal: keeps the costs; None without a database.
    """

    def __init__(
        self, request: Request, reservation: Reservation, journal: SpendJournal | None
    ) -> None:
        self._request = request
        self._reservation = reservation
        self._journal = journal
        self._is_done = False

    def book(self) -> list[asyncio.Future[None]]:
        """Write what the request has cost into the journal and settle its reservation, once.

        Returns:
            What to wait for until the costs are durable.

        Raises:
            UnavailableError: the journal cannot be written; the reservation is settled.
        """
        if self._is_done:
            return []
        self._is_done = True
        request = self._request
        bills = [attempt.bill for attempt in request.attempts if attempt.bill is not None]
        if not bills:
            self._reservation.release()
            return []
        cost = sum(bill.cost for bill in bills)
        tokens = sum(bill.usage.total for bill in bills)
        position: Position | None = None
        durable: list[asyncio.Future[None]] = []
        try:
            if self._journal is not None:
                for record in records_of(request):
                    position, done = self._journal.append(record)
                    durable.append(done)
        except Exception as error:
            LOG.exception("the cost of request %s could not be written", request.id)
            raise UnavailableError("the spend journal cannot be written", retry_after=5) from error
        finally:
            self._reservation.settle(cost, tokens, position)
        return durable

    async def book_durably(self) -> None:
        """Book, and return when the costs are on disk.

        Raises:
            UnavailableError: the journal cannot be written.
        """
        durable = self.book()
        if not durable or self._journal is None:
            return
        self._journal.flush()
        try:
            for done in durable:
                if done.done():
                    done.result()
                else:
                    await asyncio.shield(done)
        except OSError as error:
            raise UnavailableError("the spend journal cannot be written", retry_after=5) from error

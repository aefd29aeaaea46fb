"""Book a request's cost before the last byte of its answer: in the journal and in the budgets."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gateway.errors import UnavailableError
from gateway.journal.make_records import records_of

if TYPE_CHECKING:
    import asyncio

    from gateway.access.caller import Position
    from gateway.errors import GatewayError
    from gateway.journal.record import Record
    from gateway.journal.spend_journal import SpendJournal
    from gateway.limits.reservation import Reservation
    from gateway.request import Request

LOG = logging.getLogger(__name__)
OK = 200
UNWRITABLE = "the spend journal cannot be written"


class Booking:
    """The costs of one request.

    Args:
        request: the request, with its attempts.
        reservation: what the request has reserved.
        journal: keeps the costs; None without a database.
        has_rows: whether spend logs are written, and not only totals.
    """

    def __init__(
        self,
        request: Request,
        reservation: Reservation,
        journal: SpendJournal | None,
        *,
        has_rows: bool,
    ) -> None:
        self._request = request
        self._reservation = reservation
        self._journal = journal
        self._has_rows = has_rows
        self._is_done = False

    def book(self, error: GatewayError | None = None) -> list[asyncio.Future[None]]:
        """Write the request's costs into the journal and settle its reservation; do so only once.

        Args:
            error: the error that the caller gets instead of an answer; a failed request has a row,
                too.

        Returns:
            Futures that are done when the costs are durable.

        Raises:
            UnavailableError: the journal cannot be written; the reservation is settled all the
                same.
        """
        if self._is_done:
            return []
        self._is_done = True
        bills = [each.bill for each in self._request.attempts if each.bill is not None]
        position: Position | None = None
        durable: list[asyncio.Future[None]] = []
        try:
            if self._journal is not None:
                for record in self._records(error):
                    position, done = self._journal.append(record)
                    durable.append(done)
        except Exception as failure:
            LOG.exception("the cost of request %s could not be written", self._request.id)
            raise UnavailableError(UNWRITABLE, retry_after=5) from failure
        finally:
            if bills:
                cost = sum(bill.cost for bill in bills)
                tokens = sum(bill.usage.total for bill in bills)
                self._reservation.settle(cost, tokens, position)
            else:
                self._reservation.release()
        return durable

    def _records(self, error: GatewayError | None) -> list[Record]:
        status = OK if error is None else error.status
        return records_of(self._request, status, error=error, has_rows=self._has_rows)

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
                    await done  # no other task waits for it, so a caller that leaves may cancel it
        except OSError as error:
            raise UnavailableError(UNWRITABLE, retry_after=5) from error

"""An endpoint of OpenAI's API: takes a request through the rooms and sends its answer."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.costs.bound import upper_bound
from gateway.errors import (
    BudgetExceededError,
    GatewayError,
    InvalidRequestError,
    RateLimitError,
    UnavailableError,
)
from gateway.http.answers import send_plain, send_stream
from gateway.http.asgi import ClientDisconnectedError, answer_error, read_body, replayed
from gateway.http.body import end_user_of, model_of, parse_json, read_fields
from gateway.http.booking import Booking
from gateway.http.client import client_of
from gateway.http.forms import parse_form
from gateway.http.keys import request_id_of, secret_of, with_id
from gateway.request import Operation, Request
from gateway.routing.fallbacks import reachable
from gateway.routing.report import response_headers

if TYPE_CHECKING:
    from typing import Any

    from gateway.access.caller import Caller
    from gateway.http.asgi import Message, Receive, Send
    from gateway.http.rooms import Rooms
    from gateway.limits.reservation import Reservation
    from gateway.request import UploadedFile

LOG = logging.getLogger(__name__)
OK = 200


class Endpoint:
    """Answers the requests of OpenAI's API.

    Args:
        rooms: the rooms that a request passes through.
        trusted_proxies: networks whose `x-forwarded-for` is trusted.
    """

    def __init__(self, rooms: Rooms, trusted_proxies: tuple[str, ...] = ()) -> None:
        self._rooms = rooms
        self._trusted_proxies = trusted_proxies

    async def __call__(
        self,
        scope: Message,
        receive: Receive,
        send: Send,
        operation: Operation,
        model_in_path: str | None = None,
    ) -> None:
        """Answer a request, if need be with an error."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        arrival = Arrival(request_id_of(headers))
        try:
            await self._answer(scope, receive, send, operation, model_in_path, headers, arrival)
        except ClientDisconnectedError:
            return
        except GatewayError as error:
            await self.refuse(send, arrival, error)
        except Exception:
            LOG.exception("request %s failed inside the gateway", arrival.id)
            await self.refuse(send, arrival, GatewayError("the gateway failed; see its log"))

    async def _answer(  # noqa: PLR0913, PLR0917 -- ASGI's three, and what was found out of them
        self,
        scope: Message,
        receive: Receive,
        send: Send,
        operation: Operation,
        model_in_path: str | None,
        headers: dict[bytes, bytes],
        arrival: Arrival,
    ) -> None:
        rooms = self._rooms
        secret = secret_of(headers)
        caller = await rooms.access.identify(secret, route=scope["path"])
        raw = await read_body(receive, rooms.models.max_body_bytes)
        body, files = await parsed_body(operation, raw, headers)
        asked = model_of(body, model_in_path)
        end_user = end_user_of(body)
        if end_user is not None:
            caller = await rooms.access.identify(secret, end_user=end_user, route=scope["path"])
        alias = rooms.access.resolve(caller, asked)
        if (
            caller.litellm_only
            or rooms.models.litellm_only
            or alias in rooms.models.litellm_only_by_alias
        ):
            await self._forward(with_id(scope, arrival.id), raw, receive, send)
            return
        read = read_fields(operation, body, alias)
        if read.litellm_only:
            await self._forward(with_id(scope, arrival.id), raw, receive, send)
            return
        request = Request(
            id=arrival.id,
            operation=operation,
            alias=alias,
            body=read.fields,
            size=len(raw),
            caller=caller,
            controls=read.controls,
            client=client_of(scope, headers, self._trusted_proxies),
            stream=read.stream,
            files=files,
            stored_request=dict(read.fields) if rooms.models.store_prompts else None,
        )
        arrival.request = request
        await self.carry(request, asked, receive, send, arrival)

    async def carry(
        self, request: Request, asked: str, receive: Receive, send: Send, arrival: Arrival
    ) -> None:
        """Take a checked request through limits, routing and journal, and send its answer.

        Args:
            request: the request.
            asked: the model as the caller wrote it, which the answer shows.
            receive: ASGI's `receive`, to notice that the caller hangs up.
            send: ASGI's `send`.
            arrival: records that the answer has begun.

        Raises:
            GatewayError: no deployment answered, or a limit is reached; nothing was sent.
        """
        rooms = self._rooms
        self._require_room()
        aliases = reachable(rooms.models, request)
        usd, tokens = upper_bound(rooms.models, request, aliases, repairs=rooms.router.repairs)
        reservation = await self._reserve(request, usd, tokens)
        booking = Booking(
            request, reservation, rooms.journal, has_rows=not rooms.models.disable_spend_logs
        )
        try:
            answer = await rooms.router.answer(request)
            if answer.reply is not None:
                await booking.book_durably()
                arrival.has_begun = True
                await send_plain(send, request, asked, answer.reply, reservation.headers)
                self._finished(request, OK)
            elif answer.stream is not None:
                arrival.has_begun = True
                status = await send_stream(
                    receive, send, request, asked, answer.stream, reservation.headers, booking
                )
                self._finished(request, status)
        except GatewayError as error:
            booking.book(error)
            raise
        finally:
            booking.book()

    async def _reserve(self, request: Request, usd: float, tokens: int) -> Reservation:
        """Reserve the bound of a request.

        A request that is refused is checked again if its caller's budget or limits have changed
        meanwhile, for example by a reset.

        Raises:
            GatewayError: a limit is reached.
        """
        while True:
            before = request.caller
            try:
                return await self._rooms.limits.reserve(before, usd, tokens)
            except (BudgetExceededError, RateLimitError):
                request.caller = await self._as_it_is_now(before)
                if request.caller.entities == before.entities:
                    raise

    async def _as_it_is_now(self, caller: Caller) -> Caller:
        """Return a caller as the database has it now; unchanged while the database is away."""
        try:
            return await self._rooms.access.by_hash(
                caller.key_hash,
                user_id=caller.user_id,
                team_id=caller.team_id,
                end_user=caller.end_user_id,
            )
        except UnavailableError:
            return caller

    def _require_room(self) -> None:
        """Refuse a request if its cost could not be recorded."""
        journal = self._rooms.journal
        if journal is not None:
            for reason in journal.reasons():
                raise UnavailableError(reason, retry_after=5)

    async def _forward(self, scope: Message, raw: bytes, receive: Receive, send: Send) -> None:
        if self._rooms.proxy is None:
            raise UnavailableError("this request is for LiteLLM's proxy, which does not run here")
        await self._rooms.proxy(scope, replayed(raw, receive), send)

    async def refuse(self, send: Send, arrival: Arrival, error: GatewayError) -> None:
        """Answer with an error if no answer has begun, and notify the observers."""
        headers = {"x-litellm-call-id": arrival.id}
        if arrival.request is not None:
            headers |= response_headers(arrival.request)
            self._finished(arrival.request, error.status)
        if arrival.has_begun:
            return
        pairs = [
            (name.encode(), value.encode("ascii", "replace")) for name, value in headers.items()
        ]
        await answer_error(send, error, pairs)

    def _finished(self, request: Request, status: int) -> None:
        for observer in self._rooms.observers:
            observer.finished(request, status)


@dataclass(slots=True)
class Arrival:
    """What is known about a request while it is being answered or refused.

    Attributes:
        id: the request's id.
        request: the request; None until its body has been checked.
        has_begun: whether an answer has begun, so that no error can be sent any more.
    """

    id: str
    request: Request | None = None
    has_begun: bool = False


async def parsed_body(
    operation: Operation, raw: bytes, headers: dict[bytes, bytes]
) -> tuple[dict[str, Any], tuple[UploadedFile, ...]]:
    """Return the fields of a body, and its files if it is a form.

    Raises:
        InvalidRequestError: the body cannot be read.
    """
    if operation is not Operation.TRANSCRIPTION:
        return parse_json(raw), ()
    content_type = headers.get(b"content-type", b"")
    if not content_type.startswith(b"multipart/form-data"):
        raise InvalidRequestError("send the file as multipart/form-data", param="file")
    return await parse_form(raw, headers)

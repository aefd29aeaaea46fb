"""The internal endpoint: OpenAI's API for LiteLLM's proxy only, on a listener of its own.

LiteLLM asks every model through this endpoint, so that the gateway's limits, failover and costs
apply. A signed identity says whose request it is (proxy/identity.py). No key is accepted, and
nothing is forwarded to LiteLLM from here. Block, models and budget are checked again.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from gateway.errors import AuthenticationError, GatewayError, InvalidRequestError
from gateway.http.asgi import ClientDisconnectedError, answer_error, answer_json, read_body
from gateway.http.body import model_of, read_fields
from gateway.http.endpoint import Arrival, parsed_body
from gateway.http.keys import sane_id
from gateway.http.paths import MODELS, OPERATIONS
from gateway.proxy.handover import models_document
from gateway.proxy.identity import HEADER, IdentityError, UseCounter, verify
from gateway.request import Client, Controls, Request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gateway.http.asgi import Message, Receive, Send
    from gateway.http.endpoint import Endpoint
    from gateway.http.rooms import Rooms
    from gateway.proxy.identity import Identity
    from gateway.request import Operation

LOG = logging.getLogger(__name__)
_HEADER = HEADER.encode()


class InternalApp:
    """An ASGI application for LiteLLM's proxy.

    Args:
        endpoint: takes the requests through the rooms.
        rooms: the rooms that a request passes through.
        secret: the secret that identities are signed with.
    """

    def __init__(self, endpoint: Endpoint, rooms: Rooms, secret: bytes) -> None:
        self._endpoint = endpoint
        self._rooms = rooms
        self._secret = secret
        self._uses = UseCounter()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, if need be with an error."""
        if scope["type"] != "http":
            return
        arrival = Arrival("")
        try:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            identity = self._identity(headers)
            operation = OPERATIONS.get(scope["path"])
            if scope["method"] == "GET" and scope["path"] in MODELS:
                await answer_json(send, 200, models_document(self._rooms.models))
            elif scope["method"] == "POST" and operation is not None:
                arrival.id = sane_id(identity.call_id)
                await self._carry(receive, send, headers, operation, identity, arrival)
            else:
                await answer_error(send, _no_such_path(scope["path"]))
        except ClientDisconnectedError:
            return
        except GatewayError as error:
            await self._endpoint.refuse(send, arrival, error)
        except Exception:
            LOG.exception("request %s of LiteLLM's failed inside the gateway", arrival.id)
            if not arrival.has_begun:
                await answer_error(send, GatewayError("the gateway failed; see its log"))

    async def _carry(  # noqa: PLR0913, PLR0917 -- ASGI's two, and what was found out of them
        self,
        receive: Receive,
        send: Send,
        headers: dict[bytes, bytes],
        operation: Operation,
        identity: Identity,
        arrival: Arrival,
    ) -> None:
        rooms = self._rooms
        caller = await rooms.access.by_hash(
            identity.key_hash,
            user_id=identity.user_id,
            team_id=identity.team_id,
            end_user=identity.end_user_id,
        )
        raw = await read_body(receive, rooms.models.max_body_bytes)
        body, files = await parsed_body(operation, raw, headers)
        asked = model_of(body, None)
        if asked != identity.alias:
            raise AuthenticationError(f"this identity is for another model than '{asked[:100]}'")
        alias = rooms.access.resolve(caller, asked)
        read = read_fields(operation, body, alias)
        request = Request(
            id=arrival.id,
            operation=operation,
            alias=alias,
            body=read.fields,
            size=len(raw),
            caller=caller,
            controls=_controls(identity.controls),
            client=Client(identity.address, identity.user_agent, identity.traceparent),
            stream=read.stream,
            files=files,
            via_litellm=True,
            stored_request=dict(read.fields) if rooms.models.store_prompts else None,
        )
        arrival.request = request
        await self._endpoint.carry(request, asked, receive, send, arrival)

    def _identity(self, headers: Mapping[bytes, bytes]) -> Identity:
        token = headers.get(_HEADER, b"").decode("latin-1")
        now = time.time()
        try:
            identity = verify(token, self._secret, now)
            self._uses.count(identity, now)
        except IdentityError as error:
            raise AuthenticationError(f"LiteLLM's signed identity was refused: {error}") from None
        return identity


def _no_such_path(path: str) -> GatewayError:
    return InvalidRequestError(f"the gateway has no {path[:100]} for LiteLLM", status=404)


def _controls(given: Mapping[str, Any]) -> Controls:
    known = {name: value for name, value in given.items() if name in Controls.__dataclass_fields__}
    for name in ("fallbacks", "tags"):
        if isinstance(known.get(name), list):
            known[name] = tuple(known[name])
    return Controls(**known)

"""What happens to one request: read it, let the rules judge it, answer it, note it all."""

import itertools
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from starlette.types import Receive, Scope, Send

from scripted_upstream.compose import compose
from scripted_upstream.connection import ClientLeftError, Connection
from scripted_upstream.delivery import Delivery
from scripted_upstream.errors import failure_of, refused
from scripted_upstream.exchange import (
    BadRequestError,
    Call,
    Failure,
    Format,
    Json,
    ParsedCall,
    Reply,
)
from scripted_upstream.formats import any_key, recognise
from scripted_upstream.journal import Entry, Journal
from scripted_upstream.rules import Rulebook, Subject

BODY_LIMIT = 8 * 1024 * 1024
_PREFIX = re.compile(r"^/u/(?P<name>[A-Za-z0-9._-]+)(?P<path>/.*)?$")


@dataclass(frozen=True)
class Request:
    """A request as far as it could be understood.

    Attributes:
        form: the wire format that it speaks.
        subject: what rules look at.
        failure: what is wrong with it.
    """

    form: Format
    subject: Subject
    failure: Failure | None


@dataclass
class Upstream:
    """The providers that this server plays: an ASGI application.

    Attributes:
        rulebook: the script in force.
        journal: of all requests.
    """

    rulebook: Rulebook = field(default_factory=Rulebook)
    journal: Journal = field(default_factory=Journal)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and keep it in the journal from its first moment."""
        connection = Connection(scope, receive)
        entry = Entry(
            number=next(self._numbers),
            method=scope["method"],
            path=scope["path"],
            query=unquote(scope["query_string"].decode("latin-1")),
            headers={
                name.decode("latin-1"): each.decode("latin-1") for name, each in scope["headers"]
            },
        )
        content = await _content(receive)
        entry.size = len(content)
        self.journal.open(entry)
        connection.watch()
        request = self._understand(entry, content)
        try:
            await self._answer(request, entry, connection, send)
        except ClientLeftError:
            entry.ended = "client_left"
        finally:
            connection.stop_watching()
            entry.seconds = entry.elapsed
            if entry.ended == "open":
                entry.ended = "crashed"
            if request.subject.ask.operation != "free":
                self.journal.add(entry)

    def _understand(self, entry: Entry, content: bytes) -> Request:
        """Return what a request is about, and notes it."""
        key = any_key(entry.headers)
        prefixed = _PREFIX.match(entry.path)
        name = prefixed["name"] if prefixed else self.rulebook.upstream_of_key(key)
        path = (prefixed["path"] or "/") if prefixed else entry.path
        body, wrong = _parsed(content)
        call = Call(entry.number, entry.method, path, entry.headers, body)
        form, known = recognise(call, self.rulebook.upstream(name).provider)
        ask = ParsedCall("free")
        failure: Failure | None = refused(f"unknown request: {entry.method} {path}", 404)
        if known:
            ask, failure = _read(form, call, wrong)
        entry.provider, entry.upstream, entry.key = form.provider, name, key
        entry.model, entry.stream = ask.model, ask.stream
        entry.body = content.decode(errors="replace") if wrong else body
        subject = Subject(form.provider, name, path, entry.headers, key, ask)
        return Request(form, subject, failure)

    async def _answer(
        self, request: Request, entry: Entry, connection: Connection, send: Send
    ) -> None:
        verdict = self.rulebook.judge(request.subject)
        action = verdict.action
        entry.rule = verdict.rule
        upstream = self.rulebook.upstream(request.subject.upstream)
        pace = upstream.ms_per_token if action.ms_per_token is None else action.ms_per_token
        delivery = Delivery(send, connection, entry, request.form, action, pace)
        await connection.pause(upstream.stall + action.stall)
        if action.close:
            await delivery.close()
        elif action.reset:
            await delivery.reset()
        elif action.refuses:
            await delivery.refuse(failure_of(action, request.form.provider))
        elif request.failure is not None:
            await delivery.refuse(request.failure)
        else:
            reply, usage = compose(request.subject.ask, verdict, self._draft(entry))
            await delivery.answer(request.subject.ask, reply, usage)

    def _draft(self, entry: Entry) -> Reply:
        models = self.rulebook.upstream(entry.upstream).models or self.rulebook.script.models
        return Reply(entry.number, entry.model, int(time.time()), models=tuple(models))


def _read(form: Format, call: Call, wrong: Failure | None) -> tuple[ParsedCall, Failure | None]:
    if wrong is not None:
        return ParsedCall("free"), wrong
    try:
        return form.read(call), None
    except BadRequestError as error:
        return ParsedCall("free"), refused(str(error))


def _parsed(content: bytes) -> tuple[Json, Failure | None]:
    """Return the body, {} for none, and what is wrong with it."""
    if not content:
        return {}, None
    if len(content) > BODY_LIMIT:
        return {}, refused(f"the body is larger than {BODY_LIMIT} bytes", 413)
    try:
        body = json.loads(content)
    except ValueError as error:
        return {}, refused(f"the body is not JSON: {error}")
    return (
        (body, None) if isinstance(body, dict) else ({}, refused("the body is not a JSON object"))
    )


async def _content(receive: Receive) -> bytes:
    """Return the body; of one that is too large only the beginning."""
    content = bytearray()
    while True:
        message = await receive()
        content += message.get("body", b"")
        if not message.get("more_body") or len(content) > BODY_LIMIT:
            return bytes(content)

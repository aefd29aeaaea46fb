"""The HTTP side for tests: put a script there, read the journal and the sums, start afresh."""

from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from scripted_upstream.load import Problem, ScriptError, read
from scripted_upstream.rules import Rulebook
from scripted_upstream.script import Script
from scripted_upstream.upstream import Upstream

FILTERS = (
    *("provider", "upstream", "path", "model", "key", "method"),
    *("status", "stream", "rule", "ended"),
)
_NUMBERS = ("since", "limit")
_SCRIPT_LIMIT = 1024 * 1024


def create_app(script: Script, upstream: Upstream) -> Starlette:
    """Return the whole server: /_control for tests, every other path for requests.

    Args:
        script: the one that it starts with, and that a reset goes back to.
        upstream: what answers the requests.
    """
    upstream.rulebook = Rulebook(script)
    control = Control(script, upstream)
    routes = [
        Route("/health", control.health),
        Route("/script", control.get_script, methods=["GET"]),
        Route("/script", control.put_script, methods=["PUT"]),
        Route("/reset", control.reset, methods=["POST"]),
        Route("/journal", control.journal),
        Route("/ledger", control.ledger),
    ]
    return Starlette(routes=[Mount("/_control", routes=routes), Mount("/", app=upstream)])


class Control:
    """The endpoints under /_control."""

    def __init__(self, script: Script, upstream: Upstream) -> None:
        self._first = script
        self._upstream = upstream

    async def health(self, _: Request) -> Response:
        """Say that the server serves, whatever the script does to requests."""
        return JSONResponse({"status": "healthy"})

    async def get_script(self, _: Request) -> Response:
        """Show the script in force, and how often each rule matched and held."""
        return JSONResponse(self._state())

    async def put_script(self, request: Request) -> Response:
        """Take a script in place of the one before; 422 with lines if it is wrong."""
        try:
            script = _read(await request.body())
        except ScriptError as error:
            return JSONResponse({"error": str(error), "problems": error.document()}, 422)
        self._upstream.rulebook = Rulebook(script)
        return JSONResponse(self._state())

    async def reset(self, request: Request) -> Response:
        """Clear journal, sums and counters, and go back to the script of the start.

        ?script=keep keeps the script in force.
        """
        wanted = dict(request.query_params)
        if wanted not in ({}, {"script": "keep"}):
            return _unknown(wanted, ("script=keep",))
        script = self._upstream.rulebook.script if wanted else self._first
        self._upstream.rulebook = Rulebook(script)
        self._upstream.journal.reset()
        return JSONResponse(self._state())

    async def journal(self, request: Request) -> Response:
        """Return the requests that fit the query."""
        query = dict(request.query_params)
        allowed = (*FILTERS, *_NUMBERS)
        numbers = {name: query.pop(name, "0") for name in _NUMBERS}
        if set(query) - set(FILTERS) or not all(each.isdecimal() for each in numbers.values()):
            return _unknown(dict(request.query_params), allowed)
        journal = self._upstream.journal
        found = journal.find(query, since=int(numbers["since"]), limit=int(numbers["limit"]))
        entries = [each.document() for each in found]
        return JSONResponse({"requests": entries, "dropped": journal.dropped})

    async def ledger(self, _: Request) -> Response:
        """Return the sums."""
        return JSONResponse(self._upstream.journal.ledger())

    def _state(self) -> dict[str, Any]:
        rulebook = self._upstream.rulebook
        rules = [
            {"name": rule.name or f"rules[{index}]", **asdict(tally)}
            for index, (rule, tally) in enumerate(
                zip(rulebook.script.rules, rulebook.tallies, strict=True)
            )
        ]
        script = rulebook.script.model_dump(mode="json", by_alias=True, exclude_unset=True)
        return {"script": script, "rules": rules}


def _read(content: bytes) -> Script:
    if len(content) > _SCRIPT_LIMIT:
        raise ScriptError([Problem(1, "", "", f"is larger than {_SCRIPT_LIMIT} bytes")])
    try:
        return read(content.decode())
    except UnicodeDecodeError as error:
        raise ScriptError([Problem(1, "", "", f"is not UTF-8: {error}")]) from error


def _unknown(given: dict[str, str], allowed: tuple[str, ...]) -> Response:
    message = f"cannot use {given}; allowed: {', '.join(allowed)}"
    return JSONResponse({"error": message, "allowed": allowed}, 422)

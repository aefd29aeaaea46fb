"""A body may be 64 KiB: far more than the longest text takes, far less than what hurts."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 64 * 1024
"""Bytes."""


class BodyLimit:
    """ASGI middleware: stops reading a body that is too large, with a 413.

    FastAPI's own max_body_size answers in plain text, outside of our one shape for errors.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request, counting what it reads."""
        read = 0

        async def receive_and_count() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MAX_BODY:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_and_count, send)

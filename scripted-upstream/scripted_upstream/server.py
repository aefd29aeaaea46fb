"""The server: uvicorn with a protocol that lets connections be broken."""

import uvicorn
from starlette.types import ASGIApp

from scripted_upstream.connection import Protocol


def config(app: ASGIApp, host: str, port: int) -> uvicorn.Config:
    """Return how the application is to be served; port 0 is a free one."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Protocol,
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,  # the journal has it all
        server_header=False,
        timeout_keep_alive=75,  # longer than clients keep a connection, or they race with its end
        timeout_graceful_shutdown=1,  # a scripted hang holds nobody up
    )

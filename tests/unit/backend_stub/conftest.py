"""The service as it runs, on a port of its own, with a fake gateway behind it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import httpx
import pytest
import stamina
import uvicorn

from backend_stub.app import create_app
from backend_stub.settings import Settings
from support.fake_gateway import FakeGateway

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

KEY = "sk-the-backends-own-key"


class _Server(uvicorn.Server):
    """A server that tells when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        self.up.set()


@pytest.fixture(autouse=True)
def quick_retries() -> Iterator[None]:
    """Retry as often as in production, but without waiting."""
    with stamina.set_testing(True, attempts=99, cap=True):
        yield


@pytest.fixture
def gateway() -> FakeGateway:
    """Return the gateway behind the service."""
    return FakeGateway()


@pytest.fixture
def serve(gateway: FakeGateway) -> Iterator[Callable[..., httpx.Client]]:
    """Yield a function that starts the service with settings and returns a client of it."""
    running: list[tuple[_Server, threading.Thread, httpx.Client]] = []

    def start(**settings: object) -> httpx.Client:
        values = {"litellm_api_key": KEY, "litellm_base_url": "http://gateway:4000"} | settings
        app = create_app(Settings.model_validate(values), transport=gateway)
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False)
        server = _Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        assert server.up.wait(10), "the service did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20)
        running.append((server, thread, client))
        return client

    yield start
    for server, thread, client in running:
        client.close()
        server.should_exit = server.force_exit = True  # wait for no request that hangs
        thread.join(20)


@pytest.fixture
def client(serve: Callable[..., httpx.Client]) -> httpx.Client:
    """Return a client of the service with default settings."""
    return serve()

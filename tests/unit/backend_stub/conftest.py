"""The service as it runs, on a port of its own, with a fake gateway behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
import stamina
import uvicorn

from backend_stub.app import create_app
from backend_stub.settings import Settings
from support.fake_gateway import FakeGateway
from support.threaded_server import ThreadedServer

KEY = "sk-the-backends-own-key"


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
    running: list[tuple[ThreadedServer, httpx.Client]] = []

    def start(**settings: object) -> httpx.Client:
        values = {"litellm_api_key": KEY, "litellm_base_url": "http://gateway:4000"} | settings
        app = create_app(Settings.model_validate(values), transport=gateway)
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False)
        server = ThreadedServer(config)
        client = server.client(timeout=20)
        running.append((server, client))
        return client

    yield start
    for server, client in running:
        client.close()
        server.stop(force=True)  # wait for no request that hangs


@pytest.fixture
def client(serve: Callable[..., httpx.Client]) -> httpx.Client:
    """Return a client of the service with default settings."""
    return serve()

"""One worker for all tests here: LiteLLM's import takes seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.config.deployment import Models
from gateway.config.settings import load_settings
from gateway.worker.supervisor import Worker
from unit.scripted_upstream.running import Running
from unit.worker.asking import Asking, deployment_at


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """Yield a worker that serves, and an upstream."""
    folder: Path = tmp_path_factory.mktemp("state")
    upstream = Running.start()
    with asyncio.Runner() as runner:

        async def started() -> Worker:
            models = Models((deployment_at(upstream.url, "anthropic"),))
            worker = Worker(
                models, load_settings({"GATEWAY_STATE_DIR": str(folder)}), start_wait=90
            )
            worker.start()
            assert await worker.wait_ready(90)
            return worker

        worker = runner.run(started())
        yield Asking(worker, upstream, runner)
        runner.run(worker.close())
    upstream.stop()


@pytest.fixture
def ask(running: Asking) -> Asking:
    """Return the shared worker, with an upstream that does nothing wrong."""
    running.script()
    assert running.upstream.http.post("/_control/reset").status_code == 200
    return running

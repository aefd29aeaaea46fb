"""The worker process's life: started when needed, restarted, ended with its gateway."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config.deployment import Deployment, Models, Protocol
from gateway.config.settings import load_settings
from gateway.providers.reply import Timeouts
from gateway.routing.failure import AttemptFailedError, FailureKind
from gateway.worker.provider import WorkerUnavailableError
from gateway.worker.supervisor import Worker, _environment
from unit.worker.asking import MESSAGES, Asking, deployment_at, request_with

pytestmark = pytest.mark.long

OPENAI = Deployment(id="o", alias="o", provider="openai", model="m", protocol=Protocol.OPENAI)
TIMEOUTS = Timeouts(1, 20)


async def gone(pid: int) -> None:
    """Wait until there is no such process."""
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]  # noqa: ASYNC240 -- /proc
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        await asyncio.sleep(0.02)


def test_nothing_is_started_where_no_deployment_needs_it(tmp_path: Path) -> None:
    """No process, and no folder either."""

    async def begin() -> Worker:
        worker = Worker(Models((OPENAI,)), load_settings({"GATEWAY_STATE_DIR": str(tmp_path)}))
        worker.start()
        await worker.close()
        return worker

    worker = asyncio.run(begin())
    assert (worker.is_needed, worker.state, worker.pid, worker.memory) == (
        False,
        "unneeded",
        None,
        None,
    )
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_cannot_start_is_nobodys_failure_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is told when to come back."""
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def ask() -> str:
        models = Models((deployment_at("http://127.0.0.1:1", "anthropic"),))
        worker = Worker(models, load_settings({"GATEWAY_STATE_DIR": str(tmp_path)}), start_wait=0.2)
        worker.start()
        try:
            with pytest.raises(WorkerUnavailableError) as raised:
                await worker.provider.ask(
                    models.deployments[0], request_with({"messages": MESSAGES}), TIMEOUTS
                )
        finally:
            await worker.close()
        assert (raised.value.status, raised.value.retry_after) == (503, 5)
        return worker.state

    assert asyncio.run(ask()) == "stopped"
    assert "the worker ended (1) before it served" in caplog.text


def test_its_socket_is_in_a_folder_that_nobody_else_can_enter(ask: Asking) -> None:
    """Keys of providers pass through it."""
    folder = Path(ask.worker.socket).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_no_secret_of_the_gateway_is_in_its_environment() -> None:
    """It speaks to the outside, and needs providers' keys only."""
    given = {"LITELLM_MASTER_KEY": "a", "DATABASE_URL_FILE": "/b", "GEMINI_API_KEY": "c", "X": ""}
    kept = _environment(given)
    assert kept["GEMINI_API_KEY"] == "c"
    assert not {"LITELLM_MASTER_KEY", "DATABASE_URL_FILE", "X"} & kept.keys()
    assert kept["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"


def test_a_worker_that_dies_is_replaced_and_no_deployment_is_blamed(ask: Asking) -> None:
    """What it had been given may be billed, so it is not asked again."""
    ask.script("{stall: 20}")
    base = deployment_at(ask.upstream.url, "anthropic")

    async def die() -> None:
        asked = asyncio.ensure_future(
            ask.worker.provider.ask(base, request_with({"messages": MESSAGES}), TIMEOUTS)
        )
        while not await asyncio.to_thread(ask.upstream.journal):  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.02)
        killed = ask.worker.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(WorkerUnavailableError):
            await asked
        # While the kernel ends it, its socket may take one more request, which is then lost, too.
        while ask.worker.pid == killed:  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.02)

    ask.run(die())
    ask.script()
    assert ask.plain("anthropic").data is not None  # waits for the next worker


def test_a_stream_whose_worker_dies_blames_no_deployment(ask: Asking) -> None:
    """What was said so far is counted without it."""
    ask.script("{stall_after: {pieces: 2, seconds: 20}}")

    async def die() -> None:
        stream = await ask.open("anthropic")
        await stream.__anext__()
        killed = ask.worker.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(AttemptFailedError) as raised:
            async for _ in stream:
                pass
        assert raised.value.failure.kind is FailureKind.REQUEST
        await stream.close()
        assert stream.usage.counted
        while ask.worker.pid in (None, killed):  # noqa: ASYNC110 -- another process
            await asyncio.sleep(0.02)

    ask.run(die())


def test_it_ends_with_a_gateway_that_is_killed(tmp_path: Path) -> None:
    """Which has no time to tell it."""
    program = (
        "import asyncio, sys\n"
        "from gateway.config.deployment import Deployment, Models, Protocol\n"
        "from gateway.config.settings import load_settings\n"
        "from gateway.worker.supervisor import Worker\n"
        "async def main():\n"
        "    one = Deployment('d', 'a', 'anthropic', 'm', Protocol.WORKER)\n"
        "    settings = load_settings({'GATEWAY_STATE_DIR': sys.argv[1]})\n"
        "    worker = Worker(Models((one,)), settings)\n"
        "    worker.start()\n"
        "    assert await worker.wait_ready(90)\n"
        "    print(worker.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
        asyncio.run(asyncio.wait_for(gone(pid), 20))

"""`gateway litellm`: what LiteLLM's container runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import yaml

from gateway.config.document import read_config
from gateway.config.problems import ConfigurationError, Problem
from gateway.database.prisma_cli import engine_variables
from gateway.database.relay import needs_relay, through_relay
from gateway.database.url import database_url, for_prisma
from gateway.proxy import configuration
from gateway.proxy.backend import HOST
from gateway.proxy.front import Front
from gateway.proxy.handover import OtherVersionError, models_from
from gateway.proxy.identity import HEADER, Identity, derive_secret, sign
from gateway.proxy.provider_variables import provider_variables
from gateway.proxy.supervisor import Mode, Options, Supervisor

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config.deployment import Models
    from gateway.config.settings import Settings
    from gateway.config.values import SecretStr

LOG = logging.getLogger(__name__)

HOLD_SECONDS = 60.0
"""How long a request waits for LiteLLM's start."""

GATEWAY_SECONDS = 300.0
"""How long the gateway may take to say which models there are; it starts after the migration."""

POLL_SECONDS = 0.25


def run(settings: Settings, *, until_eof: bool = False) -> None:
    """Run LiteLLM's proxy until told to stop.

    Args:
        settings: of this process.
        until_eof: stop when standard input ends, too.

    Raises:
        ConfigurationError: the master key or the gateway's internal address is not set.
    """
    key, url = (
        settings.litellm_master_key or settings.gateway_internal_key,
        settings.gateway_internal_url,
    )
    if key is None or url is None:
        name = "LITELLM_MASTER_KEY" if key is None else "GATEWAY_INTERNAL_URL"
        fix = f"set {name}; `gateway litellm` runs beside a gateway"
        raise ConfigurationError([Problem(name, "is unset", fix)])
    secret = derive_secret(key.get_secret_value())
    path = settings.gateway_state_dir / "litellm" / "config.yaml"
    port = _free_port()
    options = Options(
        prepare=partial(_write_configuration, settings, url, secret, path),
        command=command_line(port),
        environment={**_environment(settings, key, secret), "CONFIG_FILE_PATH": str(path)},
        port=port,
        mode=Mode(settings.litellm_proxy),
        idle_seconds=settings.litellm_idle_seconds,
        json_logs=settings.json_logs,
    )
    asyncio.run(serve(settings.host, settings.port, options, until_eof=until_eof))


async def _write_configuration(settings: Settings, url: str, secret: bytes, path: Path) -> None:
    """Write LiteLLM's configuration, of the user's file and of the models that the gateway has.

    Raises:
        OSError: the gateway does not say which these are.
    """
    models = await _models(url, secret)
    config = configuration.render(models, read_config(settings.litellm_config).data, url)
    _write(path, config)


def _write(path: Path, config: dict[str, Any]) -> None:
    """Write a file for this user's eyes only: what a user has put into it may be secret."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yaml.safe_dump(config, file, sort_keys=False)


async def _models(url: str, secret: bytes) -> Models:
    """Return what the gateway's internal endpoint says of its models; it may still be starting."""
    deadline = time.monotonic() + GATEWAY_SECONDS
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        while True:
            identity = Identity(key_hash="", alias="", call_id="", call_type="models")
            headers = {HEADER: sign(identity, secret, time.time())}
            try:
                async with session.get(f"{url}/models", headers=headers) as response:
                    response.raise_for_status()
                    return models_from(await response.json())
            except (aiohttp.ClientError, asyncio.TimeoutError, OtherVersionError) as error:
                if time.monotonic() > deadline:
                    raise OSError(f"the gateway does not answer at {url}: {error}") from error
            await asyncio.sleep(POLL_SECONDS)


def _environment(settings: Settings, key: SecretStr, secret: bytes) -> dict[str, str]:
    given = {
        **os.environ,
        **engine_variables(settings.prisma_engine_dir),
        "DISABLE_ADMIN_UI": str(settings.disable_admin_ui).lower(),  # it knows one spelling
        "JSON_LOGS": str(settings.json_logs).lower(),
        "LITELLM_LOG": settings.litellm_log,
    }
    for name, value in (
        ("LITELLM_MASTER_KEY", key),
        ("LITELLM_SALT_KEY", settings.litellm_salt_key),
    ):
        if value is not None:
            given[name] = value.get_secret_value()
    url = database_url(settings)
    if url is not None:
        internal = settings.gateway_internal_url or ""
        if needs_relay(settings, urlsplit(internal).hostname):
            url = through_relay(url, internal)
        given["DATABASE_URL"] = for_prisma(url, pool_size=settings.db_pool_size)
    named = provider_variables(read_config(settings.litellm_config).data)
    return configuration.environment(given, named, secret)


def command_line(port: int) -> list[str]:
    """Return the command that serves LiteLLM; its configuration is in CONFIG_FILE_PATH."""
    return [sys.executable, "-m", "gateway.proxy.launcher", str(port)]


async def serve(host: str, port: int, options: Options, *, until_eof: bool = False) -> None:
    """Listen for the gateway and look after LiteLLM, until SIGTERM, SIGINT or what is asked."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if until_eof:
        threading.Thread(
            target=_wait_for_eof, args=(loop, stopped), name="end of input", daemon=True
        ).start()
    supervisor = Supervisor(options)
    front = Front(supervisor, options.port, HOLD_SECONDS)
    server = await front.serve(host, port)
    supervisor.start()
    LOG.info("LiteLLM runs %s; listening on port %d", options.mode.value, port)
    try:
        await stopped.wait()
    finally:
        server.close()
        await supervisor.stop()


def _wait_for_eof(loop: asyncio.AbstractEventLoop, stopped: asyncio.Event) -> None:
    while os.read(0, 1):
        pass
    with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(stopped.set)


def _free_port() -> int:
    """Return a port of loopback that nobody has; this process takes no other meanwhile."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port

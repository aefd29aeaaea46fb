"""Downloads the model: disk first, then bounded attempts, each resuming the one before."""

import logging
from collections.abc import Callable

import ollama
import stamina
from stamina.instrumentation import set_on_retry_hooks

from model_server import disk, parts, registry
from model_server.problem import Problem
from model_server.progress import Progress
from model_server.pull_errors import Attempt
from model_server.server import Ollama
from model_server.settings import Settings

MINIMUM_FREE = 2 * 1024**3
"""Bytes that have to be free where the registry does not say how large the model is."""

_log = logging.getLogger(__name__)
set_on_retry_hooks(())  # each attempt is logged below, in words


def pull(server: Ollama, settings: Settings, report: Callable[[int | None, str], None]) -> None:
    """Bring the model into Ollama's store, under its plain name also when it came from a mirror.

    Args:
        server: the server that downloads.
        settings: which model, from where, how often to try.
        report: is told the percentage and what is being done.

    Raises:
        Problem: it did not work.
    """
    attempts = stamina.retry_context(
        on=lambda error: isinstance(error, Problem) and error.again == "soon",
        attempts=settings.ollama_pull_attempts,
        timeout=None,
        wait_initial=1.0,
        wait_max=30.0,
    )
    for attempt in attempts:
        with attempt:
            try:
                _once(server, settings, report)
            except Problem as problem:
                if problem.again == "soon" and attempt.num < settings.ollama_pull_attempts:
                    what = (
                        f"attempt {attempt.num} of {settings.ollama_pull_attempts} failed: "
                        f"{problem.reason}; again in about {attempt.next_wait:.0f} s"
                    )
                    _log.warning("%s", what)
                    report(None, what)
                raise
    if settings.source != settings.name:
        server.rename(settings.source, settings.name)
    _log.info("pulled %s", settings.name)


def _once(server: Ollama, settings: Settings, report: Callable[[int | None, str], None]) -> None:
    source, store = settings.source, settings.ollama_models
    report(None, f"asking {source.host}")
    size = registry.missing_bytes(source, store, insecure=settings.insecure)
    disk.require(store, MINIMUM_FREE if size is None else size, f"pulling {settings.name}")
    if size is not None:
        _log.info("pulling %s from %s: %s", settings.name, source.host, disk.human(size))
    parts.mend(store / "blobs")
    progress = Progress()
    try:
        for step in server.pull(source, insecure=settings.insecure):
            progress.add(step)
            report(progress.percent, step.status or "")
            if line := progress.line():
                _log.info("pulling %s: %s", settings.name, line)
    except ollama.ResponseError as error:
        attempt = Attempt(settings.name, source, server.local())
        raise attempt.explain(error.error) from error

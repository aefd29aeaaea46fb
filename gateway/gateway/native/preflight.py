"""Checks before a native start: is the port free, does Ollama answer, does it have the models?"""

from __future__ import annotations

import logging
import shutil
import sys
from typing import TYPE_CHECKING

from gateway.config.problems import ConfigurationError, Problem
from gateway.ollama_api import (
    Ollama,
    OllamaPullError,
    OllamaUnreachableError,
    nearest,
    with_tag,
)
from gateway.port_owner import is_taken, owner

if TYPE_CHECKING:
    from gateway.config.render import EffectiveConfig
    from gateway.config.settings import Settings


LOG = logging.getLogger(__name__)


def require_free_port(settings: Settings) -> None:
    """Return when the gateway can listen.

    Raises:
        ConfigurationError: something else listens there; names it where that can be seen.
    """
    if is_taken(settings.host, settings.port):
        who = owner(settings.port) or "a process of another user"
        raise ConfigurationError(
            [
                Problem(
                    f"port {settings.port}",
                    f"is taken by {who}",
                    f"stop that, or take another port: --port {settings.port + 1}",
                )
            ]
        )


def check_ollama_models(effective: EffectiveConfig, *, pull: bool) -> None:
    """Log which of the configured Ollama models are missing, and offer to download each.

    Nothing here stops a start: other providers answer without Ollama.
    """
    for url, models in ollama_models(effective).items():
        ollama = Ollama(url)
        try:
            present = ollama.models()
        except OllamaUnreachableError as error:
            LOG.warning("Ollama does not answer at %s: %s\n    %s", url, error, _how_to_start())
            continue
        for model in sorted(models):
            if with_tag(model) in present:
                LOG.info("Ollama at %s has %s", url, model)
            elif pull or _agreed(ollama, model, present):
                _pull(ollama, model)
            else:
                hint = _hint(model, present)
                LOG.warning("Ollama has no model %s%s\n    ollama pull %s", model, hint, model)


def ollama_models(effective: EffectiveConfig) -> dict[str, set[str]]:
    """Return the Ollama models that are configured, by the address that serves them."""
    found: dict[str, set[str]] = {}
    for deployment in effective.config["model_list"]:
        parameters = deployment["litellm_params"]
        prefix, _, model = str(parameters["model"]).partition("/")
        url = str(parameters.get("api_base") or "")
        if prefix in {"ollama", "ollama_chat"} and url.startswith("http"):
            found.setdefault(url.rstrip("/"), set()).add(model)
    return found


def _how_to_start() -> str:
    if shutil.which("ollama"):
        return "start it: ollama serve"
    return "install it from https://ollama.com/download and start it: ollama serve"


def _hint(model: str, present: list[str]) -> str:
    close = nearest(model, present)
    return f"; it has {close}: OLLAMA_MODEL={close}" if close else ""


def _agreed(ollama: Ollama, model: str, present: list[str]) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    sys.stderr.write(f"Ollama at {ollama.url} has no model {model}{_hint(model, present)}\n")
    sys.stderr.write(f"download {model} now? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _pull(ollama: Ollama, model: str) -> None:
    from rich.console import Console  # noqa: PLC0415 -- seldom needed
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # noqa: PLC0415 -- rare

    LOG.info("downloading %s", model)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(model, total=None)
            for step in ollama.pull(model):
                progress.update(
                    task,
                    description=step.status,
                    completed=step.completed,
                    total=step.total or None,
                )
    except OllamaPullError as error:
        LOG.warning(
            "%s could not be downloaded: %s\n    later: ollama pull %s", model, error, model
        )
    else:
        LOG.info("Ollama has %s", model)

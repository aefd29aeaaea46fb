"""The command line: model-server serve, health, status."""

import functools
import os
import threading
from pathlib import Path
from typing import Annotated

import typer

from model_server import health as health_check
from model_server import logs
from model_server.keeper import Keeper
from model_server.names import manifest_path
from model_server.processes import runs
from model_server.server import Ollama
from model_server.settings import EXIT_CONFIGURATION, Settings, SettingsError
from model_server.state import State
from model_server.supervise import supervise

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__
)


def _settings() -> Settings:
    try:
        return Settings.from_environment()
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EXIT_CONFIGURATION) from None


def _need_writable(folder: Path) -> None:
    """Stop at once where nothing can be written; Ollama itself says so only in passing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        typer.echo(f"{folder} cannot be written: {error.strerror}", err=True)
        typer.echo(f"let uid {os.getuid()} own the volume that is mounted there", err=True)
        raise typer.Exit(EXIT_CONFIGURATION) from None


@app.command()
def serve() -> None:
    """Run Ollama, and bring the model into it."""
    settings = _settings()
    logs.configure(as_json=settings.json_logs)
    for folder in (settings.ollama_models, settings.model_server_state.parent):
        _need_writable(folder)
    never = threading.Event()
    keeper = Keeper(
        settings, Ollama(settings.url), runs, sleep=lambda seconds: not never.wait(seconds)
    )
    environment = os.environ | {
        "OLLAMA_HOST": settings.ollama_host,
        "OLLAMA_MODELS": str(settings.ollama_models),
        "OLLAMA_KEEP_ALIVE": settings.ollama_keep_alive,
        "OLLAMA_CONTEXT_LENGTH": str(settings.ollama_context_length),
    }
    if not manifest_path(settings.name, settings.ollama_models).exists():
        # At its start Ollama removes what no model uses: that would be a download half done.
        # https://github.com/ollama/ollama/blob/v0.17.4/server/images.go#L441
        environment.setdefault("OLLAMA_NOPRUNE", "1")
    relay = functools.partial(logs.relay, everything=bool(os.environ.get("OLLAMA_DEBUG")))
    raise typer.Exit(supervise(["ollama", "serve"], environment, relay, keeper.run))


@app.command()
def health(
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="While the model is downloaded for the first time.")
    ] = False,
) -> None:
    """Exit with 0 when the model is served right now; print why or why not."""
    _settings()
    raise typer.Exit(health_check.main(wait_first=wait))


@app.command()
def status(*, json: Annotated[bool, typer.Option("--json", help="As data.")] = False) -> None:
    """Print how far the model is."""
    settings = _settings()
    state = State.read(settings.model_server_state, settings.ollama_model)
    typer.echo(state.as_data() if json else str(state))

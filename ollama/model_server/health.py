"""Whether the model is served right now.

The engine asks every ten seconds, so nothing here imports the clients that the server itself needs:
they take longer than everything else.
"""

import http.client
import json
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from model_server.names import ModelName
from model_server.problem import Problem
from model_server.settings import EXIT_CONFIGURATION, Settings, SettingsError
from model_server.state import State

WAIT_SECONDS = 0.5
ANSWER_SECONDS = 4.0  # the check has five


def main(*, wait_first: bool) -> int:
    """Print whether the model is served, and return the exit code: 0, 1 or EXIT_CONFIGURATION."""
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return EXIT_CONFIGURATION
    if wait_first:
        wait(settings)
    healthy, why = check(settings)
    print(why)  # noqa: T201
    return 0 if healthy else 1


def wait(settings: Settings, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until the model is served for the first time since the start, or has failed.

    An engine that runs its check with this neither calls a long download unhealthy nor a failed
    one starting, whatever its start period. Once the model was served, nothing is waited for.
    """
    while State.read(settings.model_server_state, settings.ollama_model).first_steps:
        sleep(WAIT_SECONDS)


def check(settings: Settings) -> tuple[bool, str]:
    """Return whether the model is served, and why or why not in one line.

    With OLLAMA_KEEP_ALIVE negative the model has to be loaded. With a limited time an idle model
    leaves memory on purpose: it is served when it was loaded once and is still in the store.
    """
    state = State.read(settings.model_server_state, settings.ollama_model)
    if state.state != "ready":
        return False, str(state)
    try:
        if _has(settings, "/api/ps"):
            return True, f"{settings.name} is loaded"
        if settings.always_loaded:
            return False, f"{settings.name} is not loaded; it is loaded again within seconds"
        if _has(settings, "/api/tags"):
            return True, f"{settings.name} is idle; the next request loads it"
    except Problem as problem:
        return False, f"{problem.reason}; {problem.what_to_do}"
    return False, f"{settings.name} was removed; it is fetched again within seconds"


def _has(settings: Settings, path: str) -> bool:
    """Return whether Ollama lists the model: loaded (/api/ps) or in its store (/api/tags)."""
    address = urlsplit(settings.url)
    connection = http.client.HTTPConnection(
        str(address.hostname), address.port, timeout=ANSWER_SECONDS
    )
    try:
        connection.request("GET", path)
        listed = json.loads(connection.getresponse().read())["models"]
        names = {ModelName.parse(each["model"]).folded for each in listed}
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise Problem(
            f"ollama does not answer: {str(error) or type(error).__name__}",
            "its own lines in this container's log say why",
            again="soon",
        ) from error
    finally:
        connection.close()
    return settings.name.folded in names

"""Whether the model is served right now."""

import time
from collections.abc import Callable

from model_server.problem import Problem
from model_server.server import Ollama
from model_server.settings import Settings
from model_server.state import State

WAIT_SECONDS = 0.5


def wait(settings: Settings, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until the model is served for the first time since the start, or has failed.

    An engine that runs its check with this neither calls a long download unhealthy nor a failed
    one starting, whatever its start period. Once the model was served, nothing is waited for.
    """
    while State.read(settings.model_server_state, settings.ollama_model).first_steps:
        sleep(WAIT_SECONDS)


def check(settings: Settings, server: Ollama) -> tuple[bool, str]:
    """Return whether the model is served, and why or why not in one line.

    With OLLAMA_KEEP_ALIVE negative the model has to be loaded. With a limited time an idle model
    leaves memory on purpose: it is served when it was loaded once and is still in the store.
    """
    state = State.read(settings.model_server_state, settings.ollama_model)
    if state.state != "ready":
        return False, str(state)
    try:
        if server.loaded(settings.name):
            return True, f"{settings.name} is loaded"
        if settings.always_loaded:
            return False, f"{settings.name} is not loaded; it is loaded again within seconds"
        if server.has(settings.name):
            return True, f"{settings.name} is idle; the next request loads it"
    except Problem as problem:
        return False, f"{problem.reason}; {problem.what_to_do}"
    return False, f"{settings.name} was removed; it is fetched again within seconds"

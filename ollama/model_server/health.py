"""Whether the model is served right now.

The engine asks every ten seconds, so nothing here imports what the server itself needs, not even
its settings: that takes four times as long as everything else. What has to be known of them is in
the state that the server writes.
"""

import http.client
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from model_server.names import ModelName
from model_server.problem import Problem
from model_server.state import DEFAULT_MODEL, STATE_FILE, State

WAIT_SECONDS = 0.5
ANSWER_SECONDS = 4.0  # the check has five


def main(*, wait_first: bool) -> int:
    """Print whether the model is served, and return the exit code: 0 or 1."""
    state = wait() if wait_first else read()
    healthy, why = check(state)
    print(why)
    return 0 if healthy else 1


def read() -> State:
    """Return how far the server in this container is."""
    path = Path(os.environ.get("MODEL_SERVER_STATE") or STATE_FILE)
    return State.read(path, os.environ.get("OLLAMA_MODEL") or DEFAULT_MODEL)


def wait(sleep: Callable[[float], None] = time.sleep) -> State:
    """Wait until the model is served for the first time since the start, or has failed.

    An engine that runs its check with this neither calls a long download unhealthy nor a failed
    one starting, whatever its start period. Once the model was served, nothing is waited for.
    """
    while (state := read()).first_steps:
        sleep(WAIT_SECONDS)
    return state


def check(state: State) -> tuple[bool, str]:
    """Return whether the model is served, and why or why not in one line.

    With OLLAMA_KEEP_ALIVE negative the model has to be loaded. With a limited time an idle model
    leaves memory on purpose: it is served when it was loaded once and is still in the store.
    """
    if state.state != "ready":
        return False, str(state)
    try:
        if _has(state, "/api/ps"):
            return True, f"{state.model} is loaded"
        if state.always_loaded:
            return False, f"{state.model} is not loaded; it is loaded again within seconds"
        if _has(state, "/api/tags"):
            return True, f"{state.model} is idle; the next request loads it"
    except Problem as problem:
        return False, f"{problem.reason}; {problem.what_to_do}"
    return False, f"{state.model} was removed; it is fetched again within seconds"


def _has(state: State, path: str) -> bool:
    """Return whether Ollama lists the model: loaded (/api/ps) or in its store (/api/tags)."""
    address = urlsplit(state.url)
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
    return ModelName.parse(state.model).folded in names

"""Brings the model from nothing to loaded, and keeps it there for as long as the server runs."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ollama

from model_server import gguf
from model_server.problem import Problem
from model_server.pull import pull
from model_server.server import Ollama
from model_server.settings import Settings
from model_server.state import State, Step

START_SECONDS = 0.1
WATCH_SECONDS = 5.0
# A request with options of its own makes Ollama load the model again:
# for a moment it is not listed.
MISSES = 2
_REPORT = "this is a defect of the model server: report it with the lines of the log"

_log = logging.getLogger(__name__)


@dataclass
class Keeper:
    """One model's keeper.

    Attributes:
        settings: which model, from where.
        server: Ollama.
        runs: whether a process has the weights with that digest loaded.
        sleep: waits this many seconds; false when it is time to end.
    """

    settings: Settings
    server: Ollama
    runs: Callable[[str], bool]
    sleep: Callable[[float], bool]

    def __post_init__(self) -> None:
        self.name = self.settings.name
        self.state = State(model=str(self.name))
        self._tell("starting", "waiting for ollama")

    def run(self) -> None:
        """Keep the model loaded until it is time to end."""
        _log.info("%s will be served", self.name)
        while not self.server.answers():
            if not self.sleep(START_SECONDS):
                return
        alive = True
        while alive:
            try:
                self._bring()
                self._load()
                alive = self._watch()
            except Problem as problem:
                alive = self._fail(problem)
            except Exception as error:  # noqa: BLE001 -- the server goes on serving what it has
                _log.warning("unexpected error", exc_info=True)
                alive = self._fail(Problem(f"unexpected error: {error!r}", _REPORT, again="later"))

    def _bring(self) -> None:
        """Make sure that the model is in the store; does nothing when it is."""
        path = gguf.find(self.settings.ollama_gguf_dir, self.name)
        if path:
            store = self.settings.ollama_models
            gguf.ensure(path, self.name, self.server, store, self._importing)
        elif self.server.has(self.name):
            _log.info("%s is already downloaded", self.name)
        else:
            pull(self.server, self.settings, self._pulling)

    def _importing(self, detail: str) -> None:
        self._tell("importing", detail)

    def _pulling(self, percent: int | None, detail: str) -> None:
        # A later attempt that has not got a byte yet does not hide why the earlier one failed.
        if percent is not None or self.state.state != "failed":
            self._tell("pulling", detail, percent=percent)

    def _load(self) -> None:
        self._tell("warming", "loading the model into memory")
        try:
            self.server.load(self.name)
        except ollama.ResponseError as error:
            raise Problem(
                f"{self.name} cannot be loaded: {error.error}",
                "give it more memory (OLLAMA_MEMORY), lower OLLAMA_CONTEXT_LENGTH, "
                "or choose a smaller model",
                again="later",
            ) from error
        self._tell("ready", "loaded")
        _log.info("%s is loaded", self.name)

    def _watch(self) -> bool:
        """Return true when the model has to be brought or loaded again, false at the end."""
        weights, misses = self.server.weights(self.name), 0
        while misses < MISSES:
            if not self.sleep(WATCH_SECONDS):
                return False
            trouble = self._trouble(weights)
            misses = misses + 1 if trouble else 0
        _log.warning("%s %s; loading it again", self.name, trouble)
        return True

    def _trouble(self, weights: str | None) -> str:
        """Return what keeps the model from being served right now, empty when nothing does."""
        if not self.server.has(self.name):
            return "was removed"
        if not self.server.loaded(self.name):
            return "was unloaded" if self.settings.always_loaded else ""
        if weights and not self.runs(weights):
            return "lost its process"
        return ""

    def _fail(self, problem: Problem) -> bool:
        """Say what is wrong, wait until trying again makes sense; false at the end."""
        self._tell("failed", problem.reason, what_to_do=problem.what_to_do)
        _log.error("%s is not served: %s", self.name, problem.reason)
        _log.error("what to do: %s", problem.what_to_do)
        waited, before = 0.0, self._at_hand()
        while self._at_hand() == before:
            if problem.again != "never" and waited >= self.settings.ollama_retry_seconds:
                break
            pause = min(WATCH_SECONDS, self.settings.ollama_retry_seconds)
            if not self.sleep(pause):
                return False
            waited += pause
        return True

    def _at_hand(self) -> tuple[bool, Path | None, float]:
        """Return the models that need no download; they change when a person adds one."""
        path = gguf.find(self.settings.ollama_gguf_dir, self.name)
        try:
            return self.server.has(self.name), path, path.stat().st_mtime if path else 0
        except (Problem, OSError):
            return False, path, 0

    def _tell(
        self, step: Step, detail: str, *, percent: int | None = None, what_to_do: str = ""
    ) -> None:
        fresh = State(
            state=step,
            model=str(self.name),
            percent=percent,
            detail=detail,
            what_to_do=what_to_do,
            was_ready=self.state.was_ready or step == "ready",
            url=self.settings.url,
            always_loaded=self.settings.always_loaded,
        )
        if fresh != self.state or step == "starting":
            self.state = fresh
            fresh.write(self.settings.model_server_state)

"""The way of the model from nothing to loaded, and what happens when it breaks."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from model_server import registry as registry_module
from model_server.keeper import Keeper
from model_server.server import Ollama
from model_server.settings import Settings
from model_server.state import State
from support.fake_ollama import FakeOllama

WEIGHTS = b"GGUF"
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()
MISSING = {"error": "pull model manifest: file does not exist"}
UNREACHABLE = {"error": "dial tcp: connection refused"}


@pytest.fixture(autouse=True)
def _library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep these tests off the net."""
    monkeypatch.setattr(registry_module, "missing_bytes", lambda *_, **__: None)


@dataclass
class Run:
    """A keeper that runs until its script of waits is over.

    Attributes:
        keeper: the keeper.
        states: the state at each wait.
        waits: what happens during each wait; the one after the last ends the run.
        alive: whether the model's process is.
    """

    settings: Settings
    server: Ollama
    waits: list[Callable[[], object]]
    alive: bool = True
    states: list[State] = field(default_factory=list)

    def go(self) -> State:
        """Run it and return the last state that was written."""
        keeper = Keeper(self.settings, self.server, lambda _: self.alive, self._sleep)
        keeper.run()
        return self._state

    @property
    def _state(self) -> State:
        return State.read(self.settings.model_server_state, "?")

    def _sleep(self, _seconds: float) -> bool:
        self.states.append(self._state)
        if not self.waits:
            return False
        self.waits.pop(0)()
        return True


def nothing() -> None:
    """Let a wait go by."""


@pytest.fixture
def run(server: Ollama, make_settings: Callable[..., Settings]) -> Callable[..., Run]:
    """Return a function that makes a run with that script of waits and these settings."""

    def make(*waits: Callable[[], object], **settings: object) -> Run:
        return Run(make_settings(**settings), server, list(waits))

    return make


def test_a_model_that_is_there_is_only_loaded(fake: FakeOllama, run: Callable[..., Run]) -> None:
    """Nothing is downloaded or imported when the store has the model."""
    fake.models["tiny:latest"] = DIGEST

    assert run().go().state == "ready"
    assert fake.loaded == {"tiny:latest"}
    assert not fake.asked("/api/pull")
    assert not fake.asked("/api/create")


def test_a_model_that_is_not_there_is_pulled(fake: FakeOllama, run: Callable[..., Run]) -> None:
    """It is pulled, then loaded."""
    assert run().go().state == "ready"
    assert len(fake.asked("/api/pull")) == 1
    assert fake.loaded == {"tiny:latest"}


def test_a_local_file_comes_first(
    fake: FakeOllama, run: Callable[..., Run], tmp_path: Path
) -> None:
    """With a GGUF file of its name the model is imported, and no registry is asked."""
    made = run()
    (tmp_path / "gguf" / "tiny.gguf").write_bytes(WEIGHTS)

    assert made.go().state == "ready"
    assert fake.models == {"tiny:latest": DIGEST}
    assert not fake.asked("/api/pull")


def test_loading_leaves_time_and_context_to_the_server(
    fake: FakeOllama, run: Callable[..., Run]
) -> None:
    """Warming up is an empty prompt without options, so a request without any finds it as it is."""
    run().go()

    (asked,) = fake.asked("/api/generate")
    assert {key: value for key, value in asked.items() if value} == {"model": "tiny:latest"}


def test_a_lasting_problem_leaves_the_server_up(
    fake: FakeOllama, run: Callable[..., Run], caplog: pytest.LogCaptureFixture
) -> None:
    """The state is failed with what to do, the log says so aloud, and nothing is asked again."""
    fake.pulls = [[MISSING]]

    last = run(*[nothing] * 100).go()

    assert last.state == "failed"
    assert last.detail == "there is no model tiny:latest at registry.ollama.ai"
    assert "OLLAMA_MODEL" in last.what_to_do
    assert len(fake.asked("/api/pull")) == 1
    errors = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == 2


def test_a_problem_that_may_pass_is_tried_again(fake: FakeOllama, run: Callable[..., Run]) -> None:
    """After OLLAMA_RETRY_SECONDS the pull starts again by itself."""
    fake.pulls = [[UNREACHABLE], []]

    made = run(*[nothing] * 12, ollama_retry_seconds=60)

    assert made.go().state == "ready"
    assert [state.state for state in made.states] == ["failed"] * 12 + ["ready"]


def test_a_second_failure_does_not_hide_the_first(
    fake: FakeOllama, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a later attempt has not got a byte, the state stays failed with its reason."""
    fake.pulls = [[UNREACHABLE]]
    seen: list[str] = []
    write = State.write

    def record(state: State, path: Path) -> None:
        seen.append(state.state)
        write(state, path)

    monkeypatch.setattr(State, "write", record)

    run(*[nothing] * 30, ollama_retry_seconds=10).go()

    assert len(fake.asked("/api/pull")) > 3
    assert "pulling" not in seen[seen.index("failed") :]


def test_a_model_that_a_person_brings_ends_a_lasting_problem(
    fake: FakeOllama, run: Callable[..., Run]
) -> None:
    """`ollama pull` by hand is noticed, and the model loaded."""
    fake.pulls = [[MISSING]]

    assert run(nothing, lambda: fake.models.update({"tiny:latest": DIGEST})).go().state == "ready"


def test_a_file_that_a_person_puts_there_ends_a_lasting_problem(
    fake: FakeOllama, run: Callable[..., Run], tmp_path: Path
) -> None:
    """A GGUF file that appears later is imported without a restart."""
    fake.pulls = [[MISSING]]
    path = tmp_path / "gguf" / "tiny.gguf"

    assert run(nothing, lambda: path.write_bytes(WEIGHTS)).go().state == "ready"


def test_a_bad_file_is_not_imported_over_and_over(
    fake: FakeOllama, run: Callable[..., Run], tmp_path: Path
) -> None:
    """A file that is no model fails once, until it is replaced."""
    made = run(*[nothing] * 20)
    path = tmp_path / "gguf" / "tiny.gguf"
    path.write_bytes(b"<html>")
    made.waits.append(lambda: path.write_bytes(WEIGHTS + b"1"))

    assert made.go().state == "ready"
    assert [state.state for state in made.states].count("failed") == 21
    assert not fake.asked("/api/pull")


def test_a_model_that_does_not_fit_into_memory_fails_with_advice(
    fake: FakeOllama, run: Callable[..., Run]
) -> None:
    """What Ollama says about memory is passed on with the variables that help."""
    fake.errors["/api/generate"] = "model requires more system memory than is available"

    last = run().go()

    assert last.state == "failed"
    assert "requires more system memory" in last.detail
    assert "OLLAMA_MEMORY" in last.what_to_do


def test_having_been_ready_is_remembered(fake: FakeOllama, run: Callable[..., Run]) -> None:
    """A model that is lost after it was served fails as one that was ready."""
    fake.pulls = [[], [MISSING]]

    last = run(fake.models.clear, nothing, nothing).go()

    assert (last.state, last.was_ready) == ("failed", True)


def test_an_unloaded_model_is_loaded_again(fake: FakeOllama, run: Callable[..., Run]) -> None:
    """With keep-alive for ever, a model that is not listed as loaded is loaded again."""
    run(fake.loaded.clear, nothing, nothing).go()

    assert len(fake.asked("/api/generate")) == 2
    assert fake.loaded == {"tiny:latest"}


def test_a_moment_without_the_model_is_no_reason(fake: FakeOllama, run: Callable[..., Run]) -> None:
    """A request with options of its own reloads the model; one look that misses it is let pass."""
    run(fake.loaded.clear, lambda: fake.loaded.add("tiny:latest"), nothing).go()

    assert len(fake.asked("/api/generate")) == 1


def test_a_crashed_process_is_noticed(fake: FakeOllama, run: Callable[..., Run]) -> None:
    """Ollama lists a model whose process died as loaded: it is loaded again nevertheless."""
    made = run(nothing, nothing, nothing)
    made.waits[0] = lambda: setattr(made, "alive", False)

    made.go()

    assert len(fake.asked("/api/generate")) == 2


def test_an_idle_model_may_leave_memory(fake: FakeOllama, run: Callable[..., Run]) -> None:
    """With a limited keep-alive an unloaded model stays unloaded, and ready."""
    last = run(fake.loaded.clear, *[nothing] * 5, ollama_keep_alive="5m").go()

    assert last.state == "ready"
    assert len(fake.asked("/api/generate")) == 1


def test_a_removed_model_is_brought_back(fake: FakeOllama, run: Callable[..., Run]) -> None:
    """A model that somebody deletes while it is served is pulled again."""
    run(fake.models.clear, nothing, nothing).go()

    assert len(fake.asked("/api/pull")) == 2


def test_a_defect_of_ours_leaves_the_server_up(
    fake: FakeOllama, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected error becomes a failed state, not the end of the server."""
    fake.models["tiny:latest"] = DIGEST
    made = run()
    monkeypatch.setattr(made.server, "load", lambda _: 1 / 0)

    last = made.go()

    assert last.state == "failed"
    assert "division by zero" in last.detail

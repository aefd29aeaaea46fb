"""What the health check and the status command say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_server import health
from model_server.cli import app
from model_server.settings import Settings
from model_server.state import State
from support.fake_ollama import FakeOllama


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Return settings with keep-alive for ever."""
    return make_settings()


def write(settings: Settings, state: str, **values: object) -> None:
    """Write a state as `model-server serve` does."""
    known: dict[str, object] = {
        "state": state,
        "model": str(settings.name),
        "url": settings.url,
        "always_loaded": settings.always_loaded,
    }
    State(**(known | values)).write(settings.model_server_state)  # type: ignore[arg-type] # as given


def check(settings: Settings) -> tuple[bool, str]:
    """Return what the health check says of the state that was written."""
    return health.check(State.read(settings.model_server_state, "?"))


def test_a_loaded_model_is_healthy(fake: FakeOllama, settings: Settings) -> None:
    """Ready and loaded is healthy."""
    write(settings, "ready")
    fake.loaded.add("tiny:latest")

    assert check(settings) == (True, "tiny:latest is loaded")


def test_a_model_that_is_not_loaded_is_unhealthy(fake: FakeOllama, settings: Settings) -> None:
    """With keep-alive for ever, being in the store is not enough."""
    write(settings, "ready")
    fake.models["tiny:latest"] = "0"

    healthy, why = check(settings)

    assert not healthy
    assert "not loaded" in why


def test_an_idle_model_is_healthy_with_a_limited_keep_alive(
    fake: FakeOllama, make_settings: Callable[..., Settings]
) -> None:
    """A model that was loaded once and left memory on purpose is served on the next request."""
    settings = make_settings(ollama_keep_alive="5m")
    write(settings, "ready")
    fake.models["tiny:latest"] = "0"

    assert check(settings) == (
        True,
        "tiny:latest is idle; the next request loads it",
    )


def test_an_idle_model_that_was_removed_is_unhealthy(
    make_settings: Callable[..., Settings],
) -> None:
    """With a limited keep-alive the model has to be in the store at least."""
    settings = make_settings(ollama_keep_alive="5m")
    write(settings, "ready")

    assert not check(settings)[0]


@pytest.mark.parametrize("state", ["starting", "pulling", "importing", "warming", "failed"])
def test_every_other_state_is_unhealthy(fake: FakeOllama, settings: Settings, state: str) -> None:
    """Until it is ready the model is unhealthy, even when Ollama lists it as loaded."""
    write(settings, state, detail="because", what_to_do="set this")
    fake.loaded.add("tiny:latest")

    healthy, why = check(settings)

    assert not healthy
    assert why == f"{state} tiny:latest: because; set this"


def test_a_dead_server_is_unhealthy(make_settings: Callable[..., Settings]) -> None:
    """A state from before does not make up for an Ollama that does not answer."""
    settings = make_settings(ollama_host="127.0.0.1:9")
    write(settings, "ready")

    healthy, why = check(settings)

    assert not healthy
    assert "ollama does not answer" in why


def test_before_the_first_state_it_is_starting(settings: Settings) -> None:
    """A state file that is not there yet reads as starting."""
    assert State.read(settings.model_server_state, "tiny:latest").state == "starting"


@pytest.mark.parametrize(
    "written", ["{", "[]", '{"state": "ready"}', '{"state": "?", "model": "a"}']
)
def test_a_broken_state_file_reads_as_failed(settings: Settings, written: str) -> None:
    """A state file that cannot be understood is a failure that says so."""
    write(settings, "ready")
    settings.model_server_state.write_text(written, encoding="utf-8")

    state = State.read(settings.model_server_state, "tiny:latest")

    assert (state.state, state.what_to_do) == ("failed", "restart the container")


def test_a_reader_never_sees_half_a_state(settings: Settings) -> None:
    """A state replaces the one before as a whole: who has the old file open still reads that."""
    write(settings, "pulling", percent=1)
    with settings.model_server_state.open(encoding="utf-8") as opened:
        write(settings, "ready")
        before = json.loads(opened.read())

    assert before["state"] == "pulling"


@pytest.mark.parametrize("end", ["ready", "failed"])
def test_waiting_lasts_until_there_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, end: str
) -> None:
    """`--wait` goes through all steps of the first start and ends when it is served or failed."""
    monkeypatch.setenv("MODEL_SERVER_STATE", str(settings.model_server_state))
    states = ["starting", "pulling", "importing", "warming", end]
    write(settings, states.pop(0))

    assert health.wait(lambda _: write(settings, states.pop(0))).state == end
    assert not states


def test_nothing_is_waited_for_later(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """A model that was served once and is loaded again is unhealthy at once."""
    monkeypatch.setenv("MODEL_SERVER_STATE", str(settings.model_server_state))
    write(settings, "warming", was_ready=True)

    health.wait(lambda _: pytest.fail("it waited"))


def command(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, *arguments: str
) -> tuple[int, str]:
    """Run model-server and return its exit code and what it printed."""
    for name, value in settings.model_dump(mode="json").items():
        monkeypatch.setenv(name.upper(), str(value))
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def test_status_as_data_has_five_fields(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """`status --json` prints state, model, percent, detail and what to do."""
    write(settings, "pulling", percent=37, detail="pulling aa")

    code, printed = command(monkeypatch, settings, "status", "--json")

    assert code == 0
    assert json.loads(printed) == {
        "state": "pulling",
        "model": "tiny:latest",
        "percent": 37,
        "detail": "pulling aa",
        "what_to_do": "",
    }


def test_status_for_people_is_one_line(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """`status` prints the same as a line."""
    write(settings, "pulling", percent=37, detail="pulling aa")

    assert command(monkeypatch, settings, "status") == (0, "pulling tiny:latest 37 %: pulling aa\n")


def test_health_tells_by_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, fake: FakeOllama, settings: Settings
) -> None:
    """`health` exits with 0 when the model is served, else with 1, and prints why on one line."""
    write(settings, "ready")
    unhealthy = command(monkeypatch, settings, "health")
    fake.loaded.add("tiny:latest")
    healthy = command(monkeypatch, settings, "health")

    assert unhealthy[0] == 1
    assert unhealthy[1].count("\n") == 1
    assert healthy == (0, "tiny:latest is loaded\n")


def test_the_engines_check_imports_the_standard_library_alone() -> None:
    """It runs every ten seconds; what the server itself needs takes four times as long."""
    program = (
        "import sys; before = set(sys.modules); from model_server import health;"
        " print(*{name.partition('.')[0] for name in set(sys.modules) - before}"
        " - sys.stdlib_module_names)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(Path(health.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["model_server"]


@pytest.mark.parametrize("name", ["serve", "health", "status"])
def test_a_wrong_setting_stops_every_command(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Exit code 2, and the variable is named."""
    monkeypatch.setattr("model_server.cli.supervise", lambda *_: pytest.fail("it was started"))
    monkeypatch.setenv("OLLAMA_CONTEXT_LENGTH", "many")

    done = CliRunner().invoke(app, [name])

    assert done.exit_code == 2
    assert "OLLAMA_CONTEXT_LENGTH is 'many'" in done.output


def test_a_store_that_cannot_be_written_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """`serve` names the folder, and who has to own it, before it starts anything."""
    (tmp_path / "file").touch()
    monkeypatch.setattr("model_server.cli.supervise", lambda *_: pytest.fail("it was started"))

    code, printed = command(
        monkeypatch, make_settings(ollama_models=tmp_path / "file" / "store"), "serve"
    )

    assert code == 2
    assert "cannot be written" in printed
    assert "own the volume" in printed


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """Return what `serve` starts, command and environment; nothing is started for real."""
    calls: list[tuple[list[str], dict[str, str]]] = []

    def record(command: list[str], environment: dict[str, str], *_: object) -> int:
        calls.append((command, environment))
        return 0

    monkeypatch.setattr("model_server.cli.supervise", record)
    return calls


def test_ollama_gets_the_settings(
    monkeypatch: pytest.MonkeyPatch,
    make_settings: Callable[..., Settings],
    started: list[tuple[list[str], dict[str, str]]],
) -> None:
    """Keep-alive and context length reach `ollama serve` in its environment."""
    settings = make_settings(ollama_keep_alive="30m", ollama_context_length=8192)
    command(monkeypatch, settings, "serve")

    ((called, environment),) = started
    assert called == ["ollama", "serve"]
    assert environment["OLLAMA_KEEP_ALIVE"] == "30m"
    assert environment["OLLAMA_CONTEXT_LENGTH"] == "8192"
    assert environment["OLLAMA_MODELS"] == str(settings.ollama_models)


def test_ollama_gets_our_defaults(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    started: list[tuple[list[str], dict[str, str]]],
) -> None:
    """What is not set reaches Ollama as our README has it, not as Ollama's own default."""
    monkeypatch.setenv("OLLAMA_MODELS", str(settings.ollama_models))
    monkeypatch.setenv("MODEL_SERVER_STATE", str(settings.model_server_state))
    CliRunner().invoke(app, ["serve"])

    ((_, environment),) = started
    assert environment["OLLAMA_KEEP_ALIVE"] == "-1"
    assert environment["OLLAMA_CONTEXT_LENGTH"] == "4096"
    assert environment["OLLAMA_HOST"] == "0.0.0.0:11434"


@pytest.mark.parametrize("there", [False, True])
def test_half_a_download_outlives_a_restart(
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    started: list[tuple[list[str], dict[str, str]]],
    *,
    there: bool,
) -> None:
    """Ollama tidies its store at start only once the model is there: not what is half there."""
    monkeypatch.delenv("OLLAMA_NOPRUNE", raising=False)
    manifest = settings.ollama_models / "manifests/registry.ollama.ai/library/tiny/latest"
    if there:
        manifest.parent.mkdir(parents=True)
        manifest.touch()
    command(monkeypatch, settings, "serve")

    assert ("OLLAMA_NOPRUNE" in started[0][1]) is not there

"""The model server's image with the real Ollama in it, started as compose does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import ollama
import pytest

from support import tiny_gguf
from support.model_containers import IMAGE, ModelServer, Registry, World, docker
from support.stack import REPOSITORY
from support.wait import until

pytestmark = pytest.mark.long

EMBEDDED = REPOSITORY / "ollama" / "models" / "smollm2@135m.gguf"
SCHEMA = {
    "type": "object",
    "properties": {"article": {"enum": ["der", "die", "das"]}},
    "required": ["article"],
}
MIRROR = {"OLLAMA_REGISTRY": "registry:5000", "OLLAMA_REGISTRY_INSECURE": "true"}
BALLAST = 110_000_000  # Ollama downloads in parts of 100 MB: this makes two


@pytest.fixture
def world() -> Iterator[World]:
    """Yield a network of the test's own."""
    made = World()
    yield made
    made.destroy()


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    """Yield what the tests of this module share."""
    made = World()
    yield made
    made.destroy()


@pytest.fixture(scope="module")
def weights(shared: World, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a volume with tiny@1b.gguf."""
    return shared.volume(tiny_gguf.write(tmp_path_factory.mktemp("gguf") / "tiny@1b.gguf"))


def local(weights: str) -> tuple[str, str]:
    """Return the options that mount a volume of GGUF files."""
    return ("--volume", f"{weights}:/models:ro")


@pytest.fixture(scope="module")
def tiny(shared: World, weights: str) -> ModelServer:
    """Return a server that has loaded tiny:1b from a file."""
    server = shared.server(*local(weights), OLLAMA_MODEL="tiny:1b")
    server.wait_until("ready")
    return server


@pytest.fixture(scope="module")
def published(shared: World, weights: str) -> Registry:
    """Return a registry that has tiny:1b."""
    found = shared.registry()
    publish(shared, weights, "tiny:1b")
    return found


@pytest.fixture
def registry(world: World, published: Registry) -> Iterator[Registry]:
    """Yield the registry that has tiny:1b, as one that nobody has asked for anything yet."""
    with published.lent_to(world) as lent:
        yield lent


def publish(world: World, weights: str, name: str) -> None:
    """Push a model from a file to the world's registry, with Ollama's own means."""
    server = world.server(*local(weights), OLLAMA_MODEL=name)
    server.wait_until("ready")
    there = f"registry:5000/library/{name}"
    server.client.copy(name, there)
    server.client.push(there, insecure=True)
    docker("rm", "--force", server.name)


def ask(server: ModelServer, model: str, question: str, **options: object) -> str:
    """Return a model's answer to a question."""
    answer = server.client.chat(
        model,
        [{"role": "user", "content": question}],
        options={"temperature": 0, "seed": 1, "num_predict": 60},
        **options,  # type: ignore[call-overload] # handed on
    )
    return str(answer.message.content)


def test_a_local_file_is_served(tiny: ModelServer) -> None:
    """A GGUF file called NAME@TAG.gguf answers as NAME:TAG and obeys a JSON schema."""
    answer = json.loads(ask(tiny, "tiny:1b", "Haus?", format=SCHEMA))

    assert answer["article"] in {"der", "die", "das"}
    assert tiny.health() == (0, "tiny:1b is loaded")


@pytest.mark.skipif(not EMBEDDED.exists(), reason="./run up has not fetched the embedded model")
def test_real_weights_know_something(world: World) -> None:
    """The embedded model, whose weights are real, answers a question sensibly."""
    server = world.server(
        "--volume", f"{EMBEDDED}:/models/{EMBEDDED.name}:ro", OLLAMA_MODEL="smollm2:135m"
    )
    server.wait_until("ready")

    assert "Berlin" in ask(server, "smollm2:135m", "What is the capital of Germany?")


def test_it_needs_no_network(world: World, weights: str) -> None:
    """A model from a file is served without any network at all."""
    server = world.server(*local(weights), network="none", OLLAMA_MODEL="tiny:1b")

    server.wait_until("ready")


def test_settings_reach_the_loaded_model(tiny: ModelServer) -> None:
    """The model is loaded for ever, with a context of 4096 tokens, unless set otherwise."""
    (loaded,) = tiny.client.ps().models

    assert loaded.context_length == 4096
    assert loaded.expires_at
    assert loaded.expires_at.year > 2200


def test_the_image_is_small_in_rights(tiny: ModelServer) -> None:
    """It runs as uid 10003 and has neither package installer nor compiler."""
    assert tiny.run("id", "-u").strip() == "10003"
    absent = "for name in uv gcc cc g++ curl; do command -v $name; done; true"
    assert tiny.run("sh", "-c", absent) == ""
    assert tiny.run("sh", "-c", "ls /opt/venv/bin | grep -c '^pip' || true").strip() == "0"


def test_only_its_volume_is_written(tiny: ModelServer) -> None:
    """Nothing outside the volume and /tmp changed."""
    changed = [line for line in docker("diff", tiny.name).splitlines() if line.startswith("C ")]

    assert tiny.run("sh", "-c", "touch /app/x /etc/x /var/x 2>&1 || true").count("Read-only") == 3
    assert not [line for line in changed if line.startswith(("C /app", "C /opt", "C /usr"))]


def test_it_stops_within_its_grace_period(world: World, weights: str) -> None:
    """SIGTERM ends it within 10 s with exit code 0."""
    server = world.server(*local(weights), OLLAMA_MODEL="tiny:1b")
    server.wait_until("ready")

    before = time.monotonic()
    docker("stop", "--time", "30", server.name)

    assert time.monotonic() - before < 10
    assert server.state()["ExitCode"] == 0


def test_it_ends_when_ollama_dies(world: World, weights: str) -> None:
    """A killed `ollama serve` ends the container with a failure, so that it is started again."""
    server = world.server(*local(weights), OLLAMA_MODEL="tiny:1b")
    server.wait_until("ready")

    kill(server, "ollama serve")

    assert server.wait_until_it_ended() == 137


def kill(server: ModelServer, what: str) -> None:
    """Kill the processes in a container whose command line begins like that."""
    program = (
        "import os, pathlib\n"
        "for line in pathlib.Path('/proc').glob('[0-9]*/cmdline'):\n"
        "    words = line.read_bytes().replace(b'\\0', b' ').decode()\n"
        f"    if words.removeprefix('/usr/bin/').startswith({what!r}):\n"
        "        os.kill(int(line.parent.name), 9)\n"
    )
    server.run("python", "-c", program)


def test_a_crashed_model_is_loaded_again(world: World, weights: str) -> None:
    """When the model's own process is killed, it is loaded again without a request."""
    server = world.server(*local(weights), OLLAMA_MODEL="tiny:1b")
    server.wait_until("ready")

    kill(server, "ollama runner")

    until(lambda: "lost its process" in server.log(), seconds=30, what="it to be noticed")
    server.wait_until("ready")
    assert server.health()[0] == 0
    assert ask(server, "tiny:1b", "Haus?")


def test_an_idle_model_is_healthy(world: World, weights: str) -> None:
    """With a limited keep-alive the model leaves memory, and the health check says that it may."""
    server = world.server(*local(weights), OLLAMA_MODEL="tiny:1b", OLLAMA_KEEP_ALIVE="1s")
    server.wait_until("ready")
    until(lambda: not server.client.ps().models, seconds=20, what="it to be unloaded")

    assert server.health() == (0, "tiny:1b is idle; the next request loads it")


def test_a_second_start_imports_nothing(world: World, weights: str) -> None:
    """The same file is not copied again; a changed one is."""
    store = world.volume()
    first = world.server(*local(weights), store=store, OLLAMA_MODEL="tiny:1b")
    first.wait_until("ready")
    docker("restart", "--time", "30", first.name)
    first.wait_until("ready")

    assert first.log().count("imported tiny:1b") == 1


def test_a_changed_file_is_imported(world: World, weights: str, tmp_path: Path) -> None:
    """Another file of the same name replaces the model at the next start."""
    store = world.volume()
    first = world.server(*local(weights), store=store, OLLAMA_MODEL="tiny:1b")
    first.wait_until("ready")
    before = first.client.show("tiny:1b").modelfile
    docker("stop", "--time", "30", first.name)
    changed = world.volume(tiny_gguf.write(tmp_path / "tiny@1b.gguf", seed=1))

    second = world.server(*local(changed), store=store, OLLAMA_MODEL="tiny:1b")
    second.wait_until("ready")

    assert second.client.show("tiny:1b").modelfile != before


def test_a_mirror_is_pulled_from(world: World, registry: Registry) -> None:
    """A model comes from the mirror, under its plain name, and answers."""
    server = world.server(OLLAMA_MODEL="tiny:1b", **MIRROR)
    server.wait_until("ready")

    assert [each.model for each in server.client.list().models] == ["tiny:1b"]
    assert ask(server, "tiny:1b", "Haus?")
    assert registry.files_asked()


def test_a_second_start_downloads_nothing(world: World, registry: Registry) -> None:
    """With the model in its volume the registry is not asked again."""
    store = world.volume()
    first = world.server(store=store, OLLAMA_MODEL="tiny:1b", **MIRROR)
    first.wait_until("ready")
    asked = registry.files_asked()
    docker("rm", "--force", first.name)

    second = world.server(store=store, OLLAMA_MODEL="tiny:1b", **MIRROR)
    second.wait_until("ready")

    assert registry.files_asked() == asked
    assert "tiny:1b is already downloaded" in second.log()


def test_plain_http_is_refused_unless_asked(world: World, registry: Registry) -> None:
    """A mirror without TLS is refused with what to set, and no file of it is touched."""
    server = world.server(OLLAMA_MODEL="tiny:1b", OLLAMA_REGISTRY="registry:5000")

    failed = server.wait_until("failed")

    assert failed["detail"] == "registry:5000 speaks plain http, which is refused"
    assert "OLLAMA_REGISTRY_INSECURE=true" in failed["what_to_do"]
    assert not registry.files_asked()


def test_a_download_goes_on_after_a_restart(world: World, tmp_path: Path) -> None:
    """A part that had arrived before the container was killed is not fetched again."""
    slow = world.registry(speed=15e6)
    large = tiny_gguf.write(tmp_path / "large@1b.gguf", ballast=BALLAST)
    publish(world, world.volume(large), "large:1b")
    store = world.volume()
    server = world.server(store=store, OLLAMA_MODEL="large:1b", **MIRROR)
    # The last part is small and has arrived by then; the kill comes amid the large one.
    until_percent(server, 60)
    docker("kill", server.name)
    before = slow.files_asked()

    again = world.server(store=store, OLLAMA_MODEL="large:1b", **MIRROR)
    again.wait_until("ready", seconds=120)

    after = slow.files_asked()[len(before) :]
    digest, _, small_part = next(each for each in before if "bytes=1" in each).partition(" ")
    assert any(each.startswith(f"{digest} bytes=") for each in after)
    assert f"{digest} {small_part}" not in after


def until_percent(server: ModelServer, percent: int) -> None:
    """Wait until so much of a download is done."""
    until(lambda: (server.status()["percent"] or 0) >= percent, seconds=60, what=f"{percent} %")


def test_a_model_that_does_not_exist(world: World, registry: Registry, weights: str) -> None:
    """The state is failed, the health check red and says why; models that are there are served."""
    store = world.volume()
    first = world.server(*local(weights), store=store, OLLAMA_MODEL="tiny:1b")
    first.wait_until("ready")
    docker("rm", "--force", first.name)

    server = world.server(store=store, OLLAMA_MODEL="tiny:2b", **MIRROR)
    failed = server.wait_until("failed")

    assert failed["detail"] == "there is no model tiny:2b at registry:5000"
    assert "did you mean tiny:1b, which is here?" in failed["what_to_do"]
    code, why = server.health()
    assert code == 1
    assert "there is no model tiny:2b" in why
    assert "there is no model tiny:2b" in server.log()
    assert ask(server, "tiny:1b", "Haus?")
    assert registry.files_asked() == []


def test_a_registry_out_of_reach(world: World) -> None:
    """The state is failed and names the ways out; the server stays up."""
    server = world.server(
        OLLAMA_MODEL="tiny:1b", OLLAMA_REGISTRY="localhost:9", OLLAMA_PULL_ATTEMPTS="2"
    )

    failed = server.wait_until("failed")

    assert failed["detail"].startswith("localhost:9 cannot be reached")
    assert "OLLAMA_REGISTRY" in failed["what_to_do"]
    assert "tiny@1b.gguf" in failed["what_to_do"]
    assert "attempt 1 of 2 failed" in server.log()
    assert server.client.list().models == []


HEALTH = (
    "--health-cmd", "model-server health --wait", "--health-timeout", "1h", "--health-retries", "2",
    "--health-interval", "1s",
)  # fmt: skip


def test_a_long_download_is_not_unhealthy(world: World, tmp_path: Path) -> None:
    """To the engine a first download is starting, however long it takes, then healthy."""
    world.registry(speed=20e6)
    large = tiny_gguf.write(tmp_path / "large@1b.gguf", ballast=BALLAST)
    publish(world, world.volume(large), "large:1b")
    server = world.server(*HEALTH, OLLAMA_MODEL="large:1b", **MIRROR)

    until_percent(server, 60)
    during = server.state()["Health"]["Status"]

    assert during == "starting"
    until(
        lambda: server.state()["Health"]["Status"] == "healthy", seconds=60, what="it to be healthy"
    )


def test_a_failed_download_is_unhealthy(world: World, registry: Registry) -> None:
    """To the engine a model that does not exist is unhealthy within seconds, and it says why."""
    server = world.server(*HEALTH, OLLAMA_MODEL="tiny:2b", **MIRROR)

    until(
        lambda: server.state()["Health"]["Status"] == "unhealthy",
        seconds=30,
        what="it to be unhealthy",
    )
    assert "there is no model tiny:2b" in server.state()["Health"]["Log"][-1]["Output"]
    assert registry.files_asked() == []


def test_a_disk_too_small(world: World, registry: Registry) -> None:
    """Where the model does not fit nothing is downloaded, and what is missing is said."""
    server = world.server(
        "--tmpfs", "/var/lib/ollama/models:size=64m,uid=10003", OLLAMA_MODEL="tiny:1b", **MIRROR
    )

    failed = server.wait_until("failed")

    assert "of disk space, 67.1 MB is free" in failed["detail"]
    assert registry.files_asked() == []


def test_a_wrong_setting_stops_the_start(world: World) -> None:
    """It ends with exit code 2 and names the variable."""
    server = world.server(OLLAMA_KEEP_ALIVE="soon")

    assert server.wait_until_it_ended() == 2
    assert "OLLAMA_KEEP_ALIVE is 'soon'" in server.log()


def test_logs_are_json_on_request(world: World, weights: str) -> None:
    """With JSON_LOGS every line, Ollama's too, is one JSON object."""
    server = world.server(*local(weights), OLLAMA_MODEL="tiny:1b", JSON_LOGS="true")
    server.wait_until("ready")

    lines = [json.loads(line) for line in server.log().splitlines()]

    assert {line["logger"] for line in lines} >= {"ollama", "model_server.keeper"}


def test_the_image_holds_upstreams_server() -> None:
    """Ollama in the image is the version that its Dockerfile names."""
    printed = docker("run", "--rm", "--entrypoint", "ollama", IMAGE, "--version")

    assert "0.17.4" in printed


def test_models_of_the_cloud_are_refused(tiny: ModelServer) -> None:
    """What is asked stays on this server: a model that runs elsewhere does not answer."""
    remote = {"model": "far", "from": "gpt-oss:20b", "remote_host": "https://ollama.com"}
    httpx.post(f"{tiny.url}/api/create", json=remote, trust_env=False).raise_for_status()

    with pytest.raises(ollama.ResponseError, match="cloud is disabled"):
        ask(tiny, "far", "Haus?")

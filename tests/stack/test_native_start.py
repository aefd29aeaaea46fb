"""./litellm/start_litellm.sh, as a fresh user with nothing but Python, from another folder."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from support.native import Checkout, NativeGateway, make_checkout, start
from support.stack import REPOSITORY, free_port
from support.wait import until

pytestmark = pytest.mark.long

README = (REPOSITORY / "litellm" / "README.md").read_text()
SECTION = README.partition("## Without a container")[2].partition("\n## ")[0]
CALLS = [
    call.strip()
    for block in re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
    for call in re.split(r"^(?=curl )", block, flags=re.MULTILINE)
    if call.startswith("curl ")
]


LITELLM_SECONDS = 300
"""LiteLLM's start takes 12 s of processor."""


@pytest.fixture(scope="module")
def ollama() -> Iterator[str]:
    """Yield the address of a scripted upstream that speaks Ollama's API."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "scripted_upstream", "serve"],
        cwd=REPOSITORY / "scripted-upstream",
        env=os.environ | {"PORT": str(port), "HOST": "127.0.0.1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: requests.get(f"{url}/api/version", timeout=1).ok, seconds=90, what="Ollama")
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def checkout(ollama: str) -> Iterator[Checkout]:
    """Yield a fresh user's checkout; the first command in it installs, the others share that.

    Its path is short, because the embedded Postgres has its socket there.
    """
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="n"))
    folder.chmod(0o755)
    for made in make_checkout(folder):
        made.environment["OLLAMA_API_BASE"] = ollama
        installed = made.run("check")
        assert installed.returncode == 0, installed.stdout
        yield made


@pytest.fixture(scope="module")
def local(checkout: Checkout) -> Iterator[NativeGateway]:
    """Yield a gateway that was started with no key, no .env and no database."""
    running = start(checkout)
    try:
        yield running
    finally:
        running.stop()


def test_a_second_start_installs_nothing(
    local: NativeGateway, counted: Callable[[str], None]
) -> None:
    """With everything installed, it comes up healthy without asking a package index."""
    counted(f"native start: ready after {local.ready_after:.1f} s, while other tests ran")
    log = local.checkout.log()
    assert "starting LiteLLM" in log
    assert "installing" not in log


@pytest.mark.parametrize(
    "call", CALLS, ids=[call.split("localhost:4000")[1][:12] for call in CALLS]
)
def test_a_call_of_the_readme_works(local: NativeGateway, call: str) -> None:
    """Each curl line of the section on native starts is answered well, without a key."""
    command = call.replace("localhost:4000", f"127.0.0.1:{local.port}")
    done = subprocess.run(
        ["bash", "-c", f"curl --fail-with-body -sS {command.removeprefix('curl ')}"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    expected = "chat.completion" if "chat" in call else "healthy" if "health" in call else "model"
    assert expected in done.stdout


def test_the_readme_has_the_three_calls() -> None:
    """Health, models and a chat are what the section shows."""
    assert len(CALLS) == 3


def test_it_listens_on_this_machine_alone(local: NativeGateway) -> None:
    """No other address of the machine answers on its port."""
    mine = socket.gethostbyname(socket.gethostname())
    if mine.startswith("127."):
        mine = "127.0.0.2"
    with socket.socket() as probe:
        assert probe.connect_ex((mine, local.port)) != 0


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
def test_a_page_of_another_site_is_refused(local: NativeGateway, header: dict[str, str]) -> None:
    """Without a key, what a browser sends for a foreign page gets 403."""
    assert requests.get(f"{local.url}/models", headers=header, timeout=10).status_code == 403


def test_an_api_that_litellm_speaks_is_answered(local: NativeGateway) -> None:
    """Anthropic's API comes from LiteLLM, which the first request starts; no key is wanted."""
    body = {
        "model": "extraction-model",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hallo"}],
    }

    def answer() -> dict[str, object]:
        got = requests.post(f"{local.url}/v1/messages", json=body, timeout=90)
        assert got.ok, got.text
        told: dict[str, object] = got.json()
        return told

    told = until(answer, seconds=LITELLM_SECONDS, what="LiteLLM to answer")

    assert (told["type"], told["role"]) == ("message", "assistant")


def test_another_address_without_a_key_is_refused(checkout: Checkout) -> None:
    """Binding elsewhere ends with 2 and the line to set."""
    done = checkout.run("--host", "0.0.0.0")

    assert done.returncode == 2
    assert "LITELLM_MASTER_KEY" in done.stdout
    assert "openssl rand" in done.stdout


def test_a_taken_port_is_named_with_its_owner(checkout: Checkout, local: NativeGateway) -> None:
    """The error has the port, the process that holds it and another port to take."""
    done = checkout.run("--port", str(local.port))

    assert done.returncode == 2
    assert f"port {local.port}: is taken by pid {local.process.pid}" in done.stdout
    assert f"--port {local.port + 1}" in done.stdout


def test_ollama_away_or_without_the_model_is_said(checkout: Checkout) -> None:
    """A start says that Ollama does not answer and how to start it, and goes on."""
    away = f"http://127.0.0.1:{free_port()}"
    running = start(checkout, OLLAMA_API_BASE=away)
    running.stop()

    assert f"Ollama does not answer at {away}" in checkout.log()
    assert "ollama serve" in checkout.log()


def test_dotenv_is_read_as_compose_reads_it(checkout: Checkout) -> None:
    """CRLF and quotes do not matter, the shell wins, and a broken line is named."""
    dotenv = checkout.folder / ".env"
    try:
        dotenv.write_bytes(b'OPENAI_MODEL="from-file" # why\r\nOPENAI_API_KEY=sk-made-up\r\n')
        assert "openai/from-file" in checkout.run("check").stdout
        assert "openai/shell" in checkout.run("check", OPENAI_MODEL="shell").stdout
        dotenv.write_text("NUM_RETRIES=1\nOPENAI_MODEL='open\n")
        broken = checkout.run("check")
    finally:
        dotenv.unlink()

    assert broken.returncode == 2
    assert f"{dotenv}:2" in broken.stdout


def test_an_old_python_is_refused_with_what_to_install(checkout: Checkout) -> None:
    """Where only an older Python is found, the error names it and the versions that do."""
    old = checkout.home / "python3"
    old.write_text("#!/bin/sh\necho 'old 3.9'\n")
    old.chmod(0o755)
    venv = checkout.folder / "litellm" / ".venv"
    aside = venv.rename(venv.with_name(".aside"))
    try:
        done = checkout.run("check", PYTHON=str(old))
    finally:
        aside.rename(venv)

    assert done.returncode == 1
    assert "Python 3.10 to 3.14 is needed" in done.stdout
    assert "3.9" in done.stdout


def test_no_package_index_is_said_with_what_to_set(checkout: Checkout) -> None:
    """Without a network the installation ends in words, and the next start tries again."""
    venv = checkout.folder / "litellm" / ".venv"
    aside = venv.rename(venv.with_name(".aside"))
    try:
        done = checkout.run("check", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0")
        assert not (venv / "installed").exists()
    finally:
        subprocess.run(["rm", "-rf", str(venv)], check=True)
        aside.rename(venv)

    assert done.returncode == 1
    assert "PIP_INDEX_URL" in done.stdout


def test_with_costs_a_request_becomes_a_row(checkout: Checkout) -> None:
    """An embedded Postgres is brought, migrated, used, and stopped after the last row.

    A second start finds the key and the rows again.
    """
    running = start(checkout, "--with-costs")
    try:
        key = re.search(r"OPENAI_API_KEY=(\S+)", checkout_key(checkout, running.port))
        assert key
        body = {"model": "extraction-model", "messages": [{"role": "user", "content": "Hallo"}]}
        chat = f"{running.url}/v1/chat/completions"
        assert requests.post(chat, json=body, timeout=30).status_code == 401
        bearer = {"Authorization": f"Bearer {key.group(1)}"}
        assert requests.post(chat, json=body, headers=bearer, timeout=30).status_code == 200
        page = f"{running.url}/ui/"

        def page_is_there() -> bool:
            answer = requests.get(page, timeout=90)
            assert answer.ok, answer.text + checkout.log()
            return True

        until(page_is_there, seconds=LITELLM_SECONDS, what="the page")
    finally:
        code = running.stop(signal.SIGINT)
    assert code == 0, checkout.log()
    assert "Could not" not in checkout.log()

    spend = checkout.run("--with-costs", "spend", "--json")

    assert spend.returncode == 0, spend.stdout
    assert "backend-stub" in spend.stdout
    assert not (checkout.folder / "litellm/.data/postgres/postmaster.pid").exists()


def test_what_is_kept_is_for_its_user_alone(checkout: Checkout) -> None:
    """Nobody else may enter the folder with the database and the keys."""
    data = checkout.folder / "litellm" / ".data"

    assert data.stat().st_mode & 0o077 == 0


def checkout_key(checkout: Checkout, port: int) -> str:
    """Return what the key command prints while the gateway runs."""
    before = checkout.log()
    done = checkout.run("--port", str(port), "--with-costs", "key")
    assert done.returncode == 0, before + done.stdout
    return done.stdout

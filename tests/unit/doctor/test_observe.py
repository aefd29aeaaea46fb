"""What is seen from inside the network, of servers in this process."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

import httpx
import pytest

from gateway.doctor import observe as module
from gateway.doctor.facts import Facts
from gateway.doctor.observe import observe
from gateway.doctor.seen import DeploymentSeen, Service
from support.fake_ollama import Served
from support.stack import REPOSITORY

KEY = "sk-right-key-for-tests"
CONFIG = (REPOSITORY / "litellm" / "litellm_config.yaml").read_text()


class _Handler(BaseHTTPRequestHandler):
    """A provider that takes one key, and an Ollama whose model is in memory."""

    def do_GET(self) -> None:
        """Answer lists of models."""
        if self.path == "/v1/models" and self.headers["authorization"] != f"Bearer {KEY}":
            self._answer(401, {"error": {"message": "invalid_api_key"}})
        elif self.path in ("/api/tags", "/api/ps"):
            self._answer(200, {"models": [{"name": "llama3.2:latest", "size": 2000}]})
        elif self.path == "/api/version":
            self._answer(200, {"version": "0.17.4"})
        else:
            self._answer(200, {"data": []})

    def do_POST(self) -> None:
        """Answer 16 tokens in 4 seconds of Ollama's own counting."""
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(200, {"eval_count": 16, "eval_duration": 4_000_000_000})

    def _answer(self, status: int, document: object) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Server(Served):
    """Both on one port."""

    handler: ClassVar[type[BaseHTTPRequestHandler]] = _Handler


def facts(port: int, **variables: str) -> Facts:
    """Return facts of a gateway whose OpenAI and Ollama are on that port."""
    environment = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_API_BASE": f"http://127.0.0.1:{port}/v1",
        "OLLAMA_API_BASE": f"http://127.0.0.1:{port}",
        "LM_STUDIO_API_BASE": "http://127.0.0.1:9/v1",
        "OLLAMA_MODEL": "llama3.2",
        "DB_HOST": "postgres",
        "LITELLM_MASTER_KEY_FILE": "/run/gateway-secrets/litellm_master_key",
        **variables,
    }
    return Facts(services={"gateway": Service("i", environment)}, config=CONFIG)


def test_it_observes_keys_models_and_speed() -> None:
    """Aliases, fallbacks, timeout, reach of each deployment, Ollama's models and its speed."""
    with Server() as server:
        seen = observe(facts(server.port), {})

    reach = {each.alias: each.reachable for each in seen.deployments}
    assert reach["extraction-model-openai"] == "yes"
    assert reach["extraction-model-lmstudio"] == "no"
    assert "extraction-model" in seen.aliases
    assert seen.fallbacks["extraction-model"] == ("extraction-model-openai",)
    assert seen.timeout == 120
    [ollama] = seen.ollamas
    assert (ollama.models, ollama.loaded) == ({"llama3.2:latest": 2000}, ("llama3.2:latest",))
    assert (ollama.version, ollama.speed) == ("0.17.4", 4.0)
    assert (seen.wrong, seen.not_checked) == ((), ())


def test_a_refused_key_and_one_that_is_unset_are_seen() -> None:
    """The variable of the key is named, and what the running gateway recorded is kept."""
    recorded = DeploymentSeen(
        "extraction-model-openai", "openai", "openai/gpt-4o-mini",
        condition="unauthorised", reason="401 once",
    )  # fmt: skip
    with Server() as server:
        given = replace(facts(server.port, OPENAI_API_KEY="sk-wrong"), deployments=(recorded,))
        seen = {each.alias: each for each in observe(given, {}).deployments}

    openai = seen["extraction-model-openai"]
    assert (openai.key, openai.reachable) == ("OPENAI_API_KEY", "key refused")
    assert (openai.condition, openai.reason) == ("unauthorised", "401 once")
    claude = seen["extraction-model-claude"]
    assert (claude.key, claude.condition) == ("ANTHROPIC_API_KEY", "left out")


def test_wrong_settings_are_reported_and_nothing_is_asked() -> None:
    """A setting that stops the start, a weak master key and a broken URL are findings."""
    given = facts(9, REQUEST_TIMEOUT="soon")
    secrets = Service("i", {"LITELLM_MASTER_KEY": "sk-1234"})
    seen = observe(replace(given, services={**given.services, "secrets": secrets}), {})

    assert [each.where for each in seen.wrong] == ["LITELLM_MASTER_KEY", "REQUEST_TIMEOUT"]
    assert "settings above" in seen.not_checked[0]


def test_a_database_url_of_another_kind_is_reported() -> None:
    """MySQL's URL, an async driver's, a file: only PostgreSQL's form is taken."""
    seen = observe(facts(9, DATABASE_URL="mysql://u:hidden@h/d"), {})

    assert [each.where for each in seen.wrong] == ["DATABASE_URL"]
    assert "hidden" not in str(seen.wrong)


def test_an_ollama_that_is_not_there_has_a_reason() -> None:
    """What the connection said is kept; no speed is measured and none is missed."""
    [ollama] = observe(facts(9), {}).ollamas

    assert ollama.error
    assert ollama.speed is None


def test_proxies_that_docker_gives_to_containers_are_seen() -> None:
    """They are this container's own environment, in either case of letters."""
    seen = observe(Facts(), {"http_proxy": "http://p:1", "NO_PROXY": "a"})

    assert seen.proxies == {"HTTP_PROXY": "http://p:1", "NO_PROXY": "a"}
    assert seen.not_checked


@pytest.mark.parametrize("answered", [True, False])
def test_the_clock_is_compared_with_a_providers_date(answered: bool) -> None:
    """A date in an answer's header gives the difference; no answer gives none."""

    def answer(_: httpx.Request) -> httpx.Response:
        if not answered:
            raise httpx.ConnectError("refused")
        return httpx.Response(404, headers={"date": formatdate(1_000_000, usegmt=True)})

    async def offset() -> float | None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await module._clock_offset("https://api.example.org/v1", client)

    found = asyncio.run(offset())
    assert (found is not None and found > 1_000_000) == answered

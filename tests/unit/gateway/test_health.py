"""Health: the parts, put together, and who answers /health."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from gateway import health as health_module
from gateway.front import Front, is_health_request
from gateway.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    import pytest

    from gateway.front import Receive, Send

    Message = MutableMapping[str, Any]


class Proxy:
    """Stands in for LiteLLM: a database that answers or fails, and some models."""

    def __init__(self, *, models: int = 2, error: Exception | None = None, slow: float = 0) -> None:
        self.models = models
        self.error = error
        self.slow = slow
        self.queries = 0

    async def query_database(self) -> None:
        """Answers, late or with an error when told so."""
        self.queries += 1
        await asyncio.sleep(self.slow)
        if self.error is not None:
            raise self.error

    def model_names(self) -> list[str]:
        """Returns as many names as told."""
        return [f"model-{number}" for number in range(self.models)]


def report(health: Health) -> tuple[int, dict[str, object]]:
    """Asks once."""
    found = asyncio.run(health.report())
    return found.status_code, found.body()


def test_all_parts_well_is_healthy() -> None:
    """With database, key and models the answer is 200."""
    assert report(Health(Proxy(), has_database=True)) == (200, {"status": "healthy", "models": 2})


def test_another_parts_reasons_make_it_unhealthy() -> None:
    """What another part has to say, such as a full journal, is said here."""
    health = Health(Proxy(), has_database=True, more_reasons=lambda: ["the journal is full"])
    status, body = report(health)
    assert status == 503
    assert body["reasons"] == ["the journal is full"]


def test_database_away_is_unhealthy_and_says_so() -> None:
    """A failing query makes it 503, with the kind of error and no address or password."""
    status, body = report(Health(Proxy(error=ConnectionError("secret")), has_database=True))
    assert status == 503
    assert body["reasons"] == ["the database does not answer: ConnectionError"]


def test_hanging_database_is_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that never comes back counts as no answer."""
    monkeypatch.setattr(health_module, "PROBE_TIMEOUT", 0.01)
    status, _ = report(Health(Proxy(slow=60), has_database=True))
    assert status == 503


def test_missing_key_and_empty_model_list_are_reasons() -> None:
    """What is still being set up and an empty model list are told, both at once."""
    health = Health(Proxy(models=0), has_database=False)
    health.pending["backend key"] = "no key yet"
    assert report(health)[1]["reasons"] == ["no key yet", "no model is loaded"]


def test_many_askers_cost_one_query() -> None:
    """A crowd at /health makes one query, not one each."""
    proxy = Proxy(slow=0.01)

    async def crowd() -> None:
        health = Health(proxy, has_database=True)
        await asyncio.gather(*(health.report() for _ in range(50)))

    asyncio.run(crowd())
    assert proxy.queries == 1


def scope(method: str = "GET", path: str = "/health", query: bytes = b"") -> dict[str, Any]:
    """Returns an HTTP request's scope."""
    return {"type": "http", "method": method, "path": path, "query_string": query}


def test_only_the_plain_path_is_ours() -> None:
    """LiteLLM's own check is still reached with a query, and nothing else is taken from it."""
    assert is_health_request(scope())
    assert is_health_request(scope("HEAD"))
    assert not is_health_request(scope(query=b"model=extraction-model"))
    assert not is_health_request(scope(path="/health/readiness"))
    assert not is_health_request(scope("POST"))


def test_front_answers_health_and_hands_on_the_rest() -> None:
    """/health never reaches LiteLLM; every other request does."""
    reached: list[str] = []
    sent: list[Message] = []

    async def app(request: Message, _receive: Receive, _send: Send) -> None:
        reached.append(request["path"])

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def nothing() -> None:
        return None

    async def both() -> None:
        front = Front(app, Health(Proxy(), has_database=True), lambda: None, nothing)
        await front(scope(), receive, send)
        await front(scope(path="/models"), receive, send)

    asyncio.run(both())
    assert reached == ["/models"]
    assert sent[0]["status"] == 200
    assert json.loads(sent[1]["body"])["status"] == "healthy"


def test_start_and_stop_are_told_at_the_right_moment() -> None:
    """`started` comes with LiteLLM's own start, `stopping` before LiteLLM hears of the end."""
    events: list[str] = []
    incoming: Iterator[Message] = iter(
        [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    )

    async def app(_scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        events.append("litellm up")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        events.append("litellm stops")

    async def receive() -> Message:
        return next(incoming)

    async def send(_message: Message) -> None:
        events.append("server told")

    async def stopping() -> None:
        events.append("stopping")

    async def lifespan() -> None:
        front = Front(
            app, Health(Proxy(), has_database=False), lambda: events.append("started"), stopping
        )
        await front({"type": "lifespan"}, receive, send)

    asyncio.run(lifespan())
    assert events == ["litellm up", "started", "server told", "stopping", "litellm stops"]

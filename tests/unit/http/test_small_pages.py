"""GET /health, /models and /gateway/deployments, and which path is whose."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest

from gateway.access.caller import Caller
from gateway.config.deployment import Models
from gateway.http.app import GatewayApp
from gateway.http.asgi import App, Message, Receive, Send
from gateway.http.deployments import DeploymentPage
from gateway.http.health import Health, Report
from gateway.http.model_list import ModelList
from unit.http.rooms import KEY, Conversation, FakeAccess
from unit.routing.fakes import deployment, routing, run

MASTER = "sk-0a1b2c3d4e5f6071829304a5b6c7d8e9"
SECRET = "sk-key-of-a-provider"
MODELS = Models((deployment("first"), deployment("second", mode="embedding")))


def scope(path: str, method: str = "GET", query: bytes = b"", **headers: str) -> dict[str, Any]:
    """Return a request."""
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": pairs,
    }


def health(
    *reasons: str, models: int = 2, database: bool | None = True, degraded: tuple[str, ...] = ()
) -> Report:
    """Return what health says of such parts."""
    return Health(models, lambda: database, lambda: reasons, lambda: degraded).report()


def test_all_parts_well_is_healthy() -> None:
    """When every part is healthy, health is 200 and gives the number of models."""
    report = health()

    assert (report.status_code, report.body()) == (200, {"status": "healthy", "models": 2})
    assert report.database_answers is True


def test_another_parts_reasons_make_it_unhealthy() -> None:
    """An unhealthy part makes health 503, with the part's own reason."""
    report = health("the database does not answer", database=False)

    assert report.status_code == 503
    assert report.body() == {"status": "unhealthy", "reasons": ["the database does not answer"]}


def test_an_empty_model_list_is_a_reason() -> None:
    """A gateway without models is unhealthy and says that none is loaded."""
    assert health(models=0).body()["reasons"] == ["no model is loaded"]


def test_without_litellms_proxy_it_is_degraded_and_well() -> None:
    """Without LiteLLM's proxy, health stays 200 and says what is degraded."""
    report = health(degraded=("LiteLLM's proxy does not answer",))

    assert report.status_code == 200
    assert report.body()["degraded"] == ["LiteLLM's proxy does not answer"]


def asked_of_list(path: str, caller: Caller | None = None, key: str = KEY) -> Conversation:
    """Return the answer of the model list."""
    talk = Conversation()
    access = cast("Any", FakeAccess(caller or Caller()))
    page = ModelList(MODELS, access)
    asyncio.run(page(scope(path, authorization=f"Bearer {key}"), talk.send))
    return talk


def test_the_list_has_what_the_key_may_ask_for() -> None:
    """The list of models has those that the key may use, each with its mode."""
    data = asked_of_list("/v1/models").json["data"]
    assert [(each["id"], each["mode"]) for each in data] == [
        ("first", "chat"),
        ("second", "embedding"),
    ]

    narrow = asked_of_list("/models", Caller(models=frozenset({"second"})))
    assert [each["id"] for each in narrow.json["data"]] == ["second"]


def test_one_model_is_told_and_one_that_the_key_may_not_ask_for_is_404() -> None:
    """A model that the key may not use is 404, like one that does not exist."""
    assert asked_of_list("/v1/models/first").json["id"] == "first"
    for caller, name in ((Caller(models=frozenset({"second"})), "first"), (Caller(), "other")):
        talk = asked_of_list(f"/v1/models/{name}", caller)
        assert talk.status == 404
        assert talk.error["code"] == "model_not_found"


def test_what_is_behind_each_alias_is_told_without_keys() -> None:
    """The model info shows the key's own aliases in LiteLLM's form, without provider keys."""
    talk = Conversation()
    narrow = Caller(models=frozenset({"first"}))
    page = ModelList(MODELS, cast("Any", FakeAccess(narrow)))
    asyncio.run(page.answer_info(scope("/model/info", authorization=f"Bearer {KEY}"), talk.send))

    (entry,) = talk.json["data"]
    first = MODELS.deployments[0]
    assert entry["model_name"] == "first"
    assert entry["litellm_params"]["model"] == first.full_model
    assert entry["model_info"]["id"] == first.id
    assert first.key is None or first.key not in str(entry)


def test_the_list_is_for_those_with_a_key() -> None:
    """The list of models is 401 without a valid key."""
    assert asked_of_list("/v1/models", key="sk-other").status == 401


def deployments(authorization: str | None, master: str | None = MASTER) -> Conversation:
    """Return the answer of the page of deployments."""
    talk = Conversation()

    async def test() -> None:
        async with routing(deployment("first", key=SECRET, base="http://openai.test/v1")) as made:
            asked = scope("/gateway/deployments")
            if authorization is not None:
                asked["headers"] = [(b"authorization", authorization.encode())]
            await DeploymentPage(made.router, master)(asked, talk.send)

    run(test())
    return talk


@pytest.mark.parametrize("given", [None, "", MASTER, "Bearer ", "Bearer sk-1234", "Bearer é"])
def test_without_the_master_key_nothing_is_reported(given: str | None) -> None:
    """Without the master key as bearer, the page of deployments is 401 and shows none."""
    talk = deployments(given)

    assert talk.status == 401
    assert "deployments" not in talk.json


def test_with_the_master_key_each_deployment_is_told_without_its_key() -> None:
    """With the master key, each deployment is shown with whether it has a key, but not which."""
    talk = deployments(f"Bearer {MASTER}")

    (entry,) = talk.json["deployments"]
    assert talk.status == 200
    assert talk.headers["cache-control"] == "no-store"
    assert (entry["alias"], entry["deployment"], entry["condition"]) == ("first", "first", "up")
    assert (entry["provider"], entry["has_key"]) == ("openai", True)
    assert SECRET not in talk.body.decode()


def test_a_gateway_without_a_master_key_tells_everybody() -> None:
    """Where no master key is configured, the page of deployments is open to everybody."""
    assert deployments(None, master=None).status == 200


class Life:
    """A gateway's application, and what came of it.

    Attributes:
        reached: whose a request was.
        forwarded: requests as LiteLLM's proxy got them.
    """

    def __init__(self, *, has_proxy: bool = True, start: Exception | None = None) -> None:
        self.reached: list[str] = []
        self.forwarded: list[Message] = []
        self._start = start
        self.app = GatewayApp(
            endpoint=cast("Any", self._endpoint),
            model_list=cast("Any", self._list),
            health=Health(2, lambda: None, tuple),
            deployments=cast("Any", self._page),
            proxy=cast("App", self._proxy) if has_proxy else None,
            started=self._started,
            stopped=self._stopped,
        )

    async def _endpoint(
        self, _: Message, __: Receive, send: Send, operation: object, *model: str
    ) -> None:
        self.reached.append(" ".join([str(operation), *model]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def _list(self, _: Message, __: Send) -> None:
        self.reached.append("list")

    async def _page(self, _: Message, __: Send) -> None:
        self.reached.append("deployments")

    async def _proxy(self, request: Message, _: Receive, __: Send) -> None:
        self.reached.append("proxy")
        self.forwarded.append(request)

    async def _started(self) -> None:
        self.reached.append("started")
        if self._start is not None:
            raise self._start

    async def _stopped(self) -> None:
        self.reached.append("stopped")

    def ask(self, request: Message) -> Conversation:
        """Return what a request gets."""
        talk = Conversation()
        asyncio.run(self.app(request, talk.receive, talk.send))
        return talk


@pytest.mark.parametrize(
    ("method", "path", "query", "whose"),
    [
        ("POST", "/v1/chat/completions", b"", "Operation.CHAT"),
        ("POST", "/engines/first/completions", b"", "Operation.COMPLETION first"),
        ("GET", "/v1/models", b"", "list"),
        ("GET", "/v1/models/first", b"", "list"),
        ("GET", "/v1/models", b"return_wildcard_routes=true", "proxy"),
        ("GET", "/gateway/deployments", b"check=true", "deployments"),
        ("POST", "/gateway/deployments", b"", "proxy"),
        ("GET", "/gateway/deployments/x", b"", "proxy"),
        ("GET", "/health", b"model=extraction-model", "proxy"),
        ("POST", "/health", b"", "proxy"),
        ("GET", "/v1/chat/completions", b"", "proxy"),
        ("GET", "/ui/", b"", "proxy"),
    ],
)
def test_each_path_is_somebodys(method: str, path: str, query: bytes, whose: str) -> None:
    """What the gateway does not serve itself goes to LiteLLM's proxy, unknown queries included."""
    life = Life()
    life.ask(scope(path, method, query))
    assert life.reached == [whose]


def test_what_is_forwarded_has_one_id_that_nothing_stumbles_over() -> None:
    """A request handed to LiteLLM has one id: the caller's if it is well formed, or a new one."""
    for given in (b"job-7", b"job 7", None):
        request = scope("/v1/messages", "POST")
        request["headers"] = [] if given is None else [(b"x-litellm-call-id", given)]
        life = Life()
        life.ask(request)
        (found,) = [v for n, v in life.forwarded[0]["headers"] if n == b"x-litellm-call-id"]

        assert (found == b"job-7") is (given == b"job-7")
        assert found.replace(b"-", b"").isalnum()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_never_reaches_litellm(method: str) -> None:
    """The gateway answers /health by itself, and the answer may not be cached."""
    life = Life()
    talk = life.ask(scope("/health", method))

    assert (talk.status, talk.json["status"]) == (200, "healthy")
    assert talk.headers["cache-control"] == "no-store"
    assert life.reached == []


def test_without_litellms_proxy_its_paths_are_503() -> None:
    """Without LiteLLM's proxy, its paths are 503 and a websocket is closed."""
    life = Life(has_proxy=False)
    assert life.ask(scope("/key/info")).status == 503
    assert life.ask({"type": "websocket", "path": "/x"}).sent[0]["type"] == "websocket.close"


def test_a_page_of_another_origin_may_read_an_answer() -> None:
    """A page of any origin may read an answer, though without cookies."""
    life = Life()
    path = "/v1/chat/completions"

    asked = life.ask(scope(path, "POST", origin="http://localhost:3000"))
    assert asked.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in asked.headers
    assert "access-control-allow-origin" not in life.ask(scope(path, "POST")).headers
    assert life.ask(scope(path, "OPTIONS")).status == 200


def lived(life: Life) -> list[str]:
    """Return the messages that the server gets from a start to a stop."""
    incoming: Iterator[Message] = iter(
        [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    )
    talk = Conversation()

    async def receive() -> Message:
        return next(incoming)

    asyncio.run(life.app({"type": "lifespan"}, receive, talk.send))
    return [each["type"] for each in talk.sent]


def test_a_start_is_told_when_all_is_ready_and_a_stop_when_all_has_ended() -> None:
    """Startup is reported once everything is ready, and shutdown once everything has ended."""
    life = Life()

    assert lived(life) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert life.reached == ["started", "stopped"]


def test_a_start_that_fails_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A start that fails is reported to the server and in the log."""
    life = Life(start=OSError("no journal"))

    assert lived(life) == ["lifespan.startup.failed"]
    assert "the gateway could not start" in caplog.text

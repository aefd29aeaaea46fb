"""`gateway key …`: what is asked for is checked, and LiteLLM's API is called in a safe order."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from gateway.config.problems import ConfigurationError
from gateway.keys.api import KeyApi, KeyApiError
from gateway.keys.key_request import KeyRequest, generate_body, nearest
from gateway.keys.report import list_as_json, print_list, secret_as_json

MODELS = ["extraction-model", "explanation-model"]


class FakeLiteLLM:
    """Answers the management API from a list of keys; a path in `broken` answers 500."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = [dict(key) for key in keys]
        self.broken: set[str] = set()
        self.starting = 0
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path = request.url.path
        if self.starting:
            self.starting -= 1
            return httpx.Response(503, headers={"retry-after": "0"}, json={})
        if path in self.broken:
            return httpx.Response(500, json={"error": {"message": "database\nis away"}})
        if path == "/key/list":
            page, size = int(request.url.params["page"]), int(request.url.params["size"])
            keys = self.keys[(page - 1) * size : page * size]
            pages = -(-len(self.keys) // size)
            return httpx.Response(200, json={"keys": keys, "total_pages": pages})
        body = json.loads(request.content)
        self.calls.append((path, body))
        if path == "/key/generate":
            made = {**body, "token": f"hash-{len(self.calls)}"}
            self.keys.append(made)
            return httpx.Response(200, json={**made, "key": "sk-new"})
        if path == "/key/delete":
            self.keys = [key for key in self.keys if key["token"] not in body["keys"]]
        if path == "/key/update":
            for key in self.keys:
                if key["token"] == body["key"]:
                    key["key_alias"] = body["key_alias"]
        return httpx.Response(200, json={})

    def api(self) -> KeyApi:
        """Return our side of it."""
        return KeyApi(httpx.Client(transport=httpx.MockTransport(self), base_url="http://gateway"))


def key(name: str, **fields: Any) -> dict[str, Any]:
    """Return a key as LiteLLM lists it."""
    return {"token": f"hash-of-{name}", "key_alias": name, "spend": 0.25, **fields}


def test_a_request_becomes_litellms_own() -> None:
    """What is not asked for is left out, so that LiteLLM's own defaults hold."""
    request = KeyRequest("ada", "5", "30d", "extraction-model, explanation-model", 60, None, "12h")
    assert generate_body(request, MODELS) == {
        "key_alias": "ada",
        "max_budget": 5.0,
        "budget_duration": "30d",
        "models": MODELS,
        "rpm_limit": 60,
        "duration": "12h",
    }
    assert generate_body(KeyRequest("ada", "none"), MODELS) == {"key_alias": "ada"}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (KeyRequest("a/b", "1"), "NAME: 'a/b' cannot be a name"),
        (KeyRequest("", "1"), "NAME: '' cannot be a name"),
        (KeyRequest("a", "0"), "--budget: '0' is not an amount"),
        (KeyRequest("a", "nan"), "--budget: 'nan' is not an amount"),
        (KeyRequest("a", "inf"), "--budget: 'inf' is not an amount"),
        (KeyRequest("a", "1", period="30"), "--duration: '30' is not a duration"),
        (KeyRequest("a", "none", period="30d"), "--duration: without a budget means nothing"),
        (KeyRequest("a", "1", expires="0d"), "--expires: '0d' is not a duration"),
        (KeyRequest("a", "1", models=","), "--models: names no model"),
        (KeyRequest("a", "1", models="gpt"), "known: extraction-model, explanation-model"),
        (KeyRequest("a", "1", rpm=0), "--rpm: '0' is too few"),
        (KeyRequest("a", "1", tpm=-1), "--tpm: '-1' is too few"),
    ],
)
def test_a_request_that_cannot_be_granted_is_refused(wanted: KeyRequest, words: str) -> None:
    """The option, what was found and what to give instead are named."""
    with pytest.raises(ConfigurationError) as raised:
        generate_body(wanted, MODELS)
    assert words in str(raised.value)


def test_everything_wrong_is_said_at_once() -> None:
    """A second try does not meet the next error."""
    with pytest.raises(ConfigurationError) as raised:
        generate_body(KeyRequest("a b", "-1", "x", "gpt", 0, 0, "y"), MODELS)
    assert len(raised.value.problems) == 7


def test_the_nearest_name_is_offered() -> None:
    """A misspelt name gets the one most like it, a strange one all of them."""
    assert nearest("backend-stb", ["backend-stub", "ada"]) == "did you mean 'backend-stub'"
    assert nearest("zz", ["backend-stub", "ada"]) == "there are: ada, backend-stub"
    assert nearest("zz", []) == "there is none yet"


def test_every_page_is_listed_without_the_admin_pages_sessions() -> None:
    """More keys than one answer holds are all there; LiteLLM's own sessions are left out."""
    keys = [key(f"key-{number:03}") for number in range(250)]
    fake = FakeLiteLLM(*keys, key("session", team_id="litellm-dashboard"))
    assert [each.name for each in fake.api().all_keys()] == [each["key_alias"] for each in keys]


def test_a_taken_name_is_refused_before_anything_is_made() -> None:
    """There are never two keys of one name."""
    fake = FakeLiteLLM(key("ada"))
    with pytest.raises(ConfigurationError, match="there is a key 'ada' already"):
        fake.api().create({"key_alias": "ada"})
    assert fake.calls == []


def test_rotation_carries_limits_spend_and_end() -> None:
    """The new key has what the old one had, under its name, and the old one is gone."""
    expires = datetime.now(timezone.utc) + timedelta(hours=2)
    limits = {"max_budget": 5.0, "rpm_limit": 60, "models": ["m"], "team_id": "t"}
    fake = FakeLiteLLM(key("ada", expires=expires.isoformat(), **limits))

    new, secret = fake.api().rotate("ada")

    made = fake.calls[0][1]
    assert {name: made[name] for name in limits} == limits
    assert made["spend"] == 0.25
    assert 7190 <= int(made["duration"].removesuffix("s")) <= 7200
    assert [path for path, _ in fake.calls] == ["/key/generate", "/key/delete", "/key/update"]
    assert [each["key_alias"] for each in fake.keys] == ["ada"]
    assert (new.name, new.token, secret) == ("ada", "hash-1", "sk-new")


def test_a_rotation_that_fails_leaves_the_old_key() -> None:
    """LiteLLM's words come in one line, and nothing was changed."""
    fake = FakeLiteLLM(key("ada"))
    fake.broken = {"/key/generate"}
    with pytest.raises(KeyApiError, match="database is away"):
        fake.api().rotate("ada")
    assert fake.keys == [key("ada")]


def test_an_expired_key_is_not_rotated() -> None:
    """A rotation must not give a key a second life."""
    fake = FakeLiteLLM(key("ada", expires="2020-01-01T00:00:00Z"))
    with pytest.raises(ConfigurationError, match="expired"):
        fake.api().rotate("ada")
    assert fake.calls == []


@pytest.mark.parametrize("act", ["delete", "rotate"])
def test_the_backends_key_is_left_to_the_stack(act: str) -> None:
    """Its secret lives in a volume that this would not change; blocking it is allowed."""
    fake = FakeLiteLLM(key("backend-stub"))
    with pytest.raises(ConfigurationError, match="BACKEND_VIRTUAL_KEY"):
        getattr(fake.api(), act)("backend-stub")
    fake.api().set_blocked("backend-stub", blocked=True)
    assert [path for path, _ in fake.calls] == ["/key/block"]


def test_a_gateway_that_is_away_is_said_in_a_line() -> None:
    """The address and what to look at, no traceback."""

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    client = httpx.Client(transport=httpx.MockTransport(away), base_url="http://gateway")
    with pytest.raises(KeyApiError, match="http://gateway does not answer: refused"):
        KeyApi(client).all_keys()


def test_litellms_start_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """A 503 that says when to retry is not a refusal; the reason for the wait is printed."""
    body = {"error": {"message": "LiteLLM's proxy is starting"}}
    starting = httpx.Response(503, json=body, headers={"retry-after": "0"})
    answers = [starting, starting, httpx.Response(200, json={"keys": [key("ada")]})]
    transport = httpx.MockTransport(lambda _: answers.pop(0))
    api = KeyApi(httpx.Client(transport=transport, base_url="http://gateway"))

    assert [each.name for each in api.all_keys()] == ["ada"]
    assert caplog.messages == ["LiteLLM's proxy is starting"] * 2


def test_lists_hold_no_secret_and_every_state(capsys: pytest.CaptureFixture[str]) -> None:
    """State, limits and ends are there for people and for programs; a key's letters are not."""
    fake = FakeLiteLLM(
        key("ada", key_name="sk-...WxYz", max_budget=5.0),
        key("bob", blocked=True, models=["m"]),
        key("cyd", expires="2020-01-01T00:00:00Z"),
    )
    keys = fake.api().all_keys()
    print_list(keys)
    table = capsys.readouterr().out
    told = list_as_json(keys)
    assert [each["state"] for each in json.loads(told)] == ["active", "blocked", "expired"]
    assert "2020-01-01 00:00" in table
    assert "WxYz" not in table + told
    shown = json.loads(secret_as_json(keys[0], "sk-new", "http://gateway/v1"))
    assert (shown["api_key"], shown["base_url"]) == ("sk-new", "http://gateway/v1")


def test_an_empty_list_says_how_to_make_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence instead of an empty table."""
    print_list([])
    assert "./run key create" in capsys.readouterr().out


def test_litellm_is_waited_for_while_it_starts() -> None:
    """After an answer that says to retry, `key create` retries: it works right after up."""
    litellm = FakeLiteLLM()
    litellm.starting = 2

    made, secret = litellm.api().create({"key_alias": "ada"})

    assert (made.name, secret) == ("ada", "sk-new")
    assert [path for path, _ in litellm.calls] == ["/key/generate"]

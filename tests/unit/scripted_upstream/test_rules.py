"""Which rule holds for which call."""

from __future__ import annotations

import pytest

from .running import Running


def refused(upstream: Running, when: str, calls: int) -> list[int]:
    """Return which calls, counted from 1, a rule with this `when` refuses."""
    upstream.script(f"seed: 3\nrules: [{{when: {{{when}}}, do: {{status: 500}}}}]")
    return [index for index, each in enumerate(upstream.statuses(calls), 1) if each == 500]


@pytest.mark.parametrize(
    ("when", "calls"),
    [
        ("nth: 3", [3]),
        ("nth: [2, 5]", [2, 5]),
        ("first: 2", [1, 2]),
        ("every: 3", [3, 6]),
        ("from: 4", [4, 5, 6, 7, 8]),
        ("from: 2, to: 4", [2, 3, 4]),
        ("", [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_when(upstream: Running, when: str, calls: list[int]) -> None:
    """A rule holds for the calls that its `when` counts."""
    assert refused(upstream, when, 8) == calls


def test_rate_is_drawn_by_the_seed(upstream: Running) -> None:
    """A rate hits its share of calls, the same ones in every run with the same seed."""
    first = refused(upstream, "rate: 0.3", 60)
    second = refused(upstream, "rate: 0.3", 60)
    upstream.script("seed: 4\nrules: [{when: {rate: 0.3}, do: {status: 500}}]")
    other = [index for index, each in enumerate(upstream.statuses(60), 1) if each == 500]

    assert first == second != other
    assert 9 <= len(first) <= 27
    assert refused(upstream, "rate: 0", 10) == []
    assert len(refused(upstream, "rate: 1", 10)) == 10


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ("model: 'gpt-*'", True),
        ("model: 'gpt-5*'", False),
        ("path: '/v1/chat/*'", True),
        ("path: '/v1/messages'", False),
        ("provider: openai", True),
        ("provider: anthropic", False),
        ("key: '^sk-a$'", True),
        ("key: '^sk-b'", False),
        ("headers: {X-Team: 'bl.u'}", True),
        ("headers: {x-team: rot}", False),
        ("headers: {x-none: rot}", False),
        ("stream: false", True),
        ("stream: true", False),
        ("text: schlafen", True),
        ("text: essen", False),
        ("upstream: one", True),
        ("upstream: two", False),
        ("provider: openai, model: 'claude*'", False),
        ("calls: free", False),
        ("calls: any", True),
    ],
)
def test_match(upstream: Running, match: str, *, hit: bool) -> None:
    """A rule is about the calls that fit everything in its `match`."""
    upstream.script(f"rules: [{{match: {{{match}}}, do: {{status: 500}}}}]")

    body = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": "Was heißt schlafen?"}],
    }
    headers = {"authorization": "Bearer sk-a", "x-team": "blau"}
    answer = upstream.http.post("/u/one/v1/chat/completions", json=body, headers=headers)

    assert (answer.status_code == 500) is hit


def test_free_calls_are_not_counted(upstream: Running) -> None:
    """A list of models between two calls changes nothing, unless a rule is about free calls."""
    upstream.script("""
        rules:
          - {when: {nth: 2}, do: {status: 500}}
          - {match: {calls: free}, do: {status: 503}}
    """)

    statuses = [upstream.chat().status_code, upstream.http.get("/v1/models").status_code]
    statuses += [upstream.chat().status_code, upstream.http.get("/api/tags").status_code]

    assert statuses == [200, 503, 500, 503]


def test_the_first_rule_that_holds_wins(upstream: Running) -> None:
    """Each matching rule counts the call, and the first that holds says what happens."""
    upstream.script("""
        rules:
          - {name: a, when: {nth: 2}, do: {status: 500}}
          - {name: b, when: {every: 2}, do: {status: 503}}
          - {name: c, do: {status: 429}}
    """)

    assert upstream.statuses(4) == [429, 500, 429, 503]
    assert [each["rule"] for each in upstream.journal()] == ["c", "a", "c", "b"]
    assert upstream.http.get("/_control/script").json()["rules"] == [
        {"name": "a", "matched": 4, "applied": 1},
        {"name": "b", "matched": 4, "applied": 1},
        {"name": "c", "matched": 4, "applied": 2},
    ]


def test_answers_lie_over_each_other(upstream: Running) -> None:
    """A rule's answer overrides its upstream's, and that the script's."""
    upstream.script("""
        answer: {text: script, input_tokens: 1, output_tokens: 2}
        upstreams: {one: {answer: {text: upstream, input_tokens: 10}}}
        rules: [{match: {model: m}, answer: {text: rule}}]
    """)

    answer = upstream.chat(path="/u/one/v1/chat/completions", model="m").json()

    assert answer["choices"][0]["message"]["content"] == "rule"
    assert (answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]) == (10, 2)


def test_an_upstream_of_one_provider(upstream: Running) -> None:
    """An upstream that is said to be a provider knows that provider's paths alone."""
    upstream.script("upstreams: {claude: {provider: anthropic, models: [claude-haiku-4-5]}}")

    unknown = upstream.chat(path="/u/claude/v1/chat/completions")
    models = upstream.http.get("/u/claude/v1/models", headers={"anthropic-version": "2023-06-01"})

    assert unknown.status_code == 404
    assert unknown.json()["type"] == "error"
    assert models.json()["data"][0]["id"] == "claude-haiku-4-5"

"""The journal, the sums, and the HTTP side that a test drives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scripted_upstream.journal import Journal

from .running import Running


def test_journal_has_everything(upstream: Running) -> None:
    """A request is there with headers, key, query, body, answer, tokens, rule and times."""
    upstream.script("rules: [{name: greet, answer: {text: Guten Tag}}]")

    upstream.chat(path="/u/one/v1/chat/completions?a=ä", key="sk-secret", temperature=0)

    entry = upstream.last()
    assert (entry["method"], entry["path"]) == ("POST", "/u/one/v1/chat/completions")
    assert entry["query"] == "a=ä"
    assert entry["headers"]["authorization"] == "Bearer sk-secret"
    assert (entry["provider"], entry["upstream"], entry["key"]) == ("openai", "one", "sk-secret")
    assert entry["body"]["temperature"] == 0
    assert (entry["rule"], entry["status"], entry["ended"]) == ("greet", 200, "complete")
    assert entry["answer"] == "Guten Tag"
    assert entry["usage"] == {"input": 5, "output": 2, "cached": 0, "reasoning": 0}
    assert 0 <= entry["first_byte_seconds"] <= entry["seconds"] < 2
    assert entry["time"].endswith("+00:00")
    assert entry["client_left"] is False


def test_journal_keeps_what_is_no_json(upstream: Running) -> None:
    """A body that cannot be read is kept as text."""
    upstream.http.post("/v1/chat/completions", content=b"{kaputt")

    assert upstream.last()["body"] == "{kaputt"


def test_journal_is_queried(upstream: Running) -> None:
    """The journal is filtered by fields, by number and by count."""
    upstream.script("rules: [{when: {nth: 2}, do: {status: 500}}]")
    for model in ("a", "b", "c"):
        upstream.chat(model=model)
    first, second, third = upstream.journal()

    assert upstream.journal("status=500") == [second]
    assert upstream.journal("model=c&stream=false") == [third]
    assert upstream.journal(f"since={first['number']}") == [second, third]
    assert upstream.journal("limit=1") == [third]
    wrong = upstream.http.get("/_control/journal?modle=c")
    assert wrong.status_code == 422
    assert "model" in wrong.json()["allowed"]
    assert upstream.http.get("/_control/journal?limit=x").status_code == 422


def test_journal_is_bounded_in_number(serve: Callable[..., Running]) -> None:
    """Only the latest entries are kept, the sums are of all, and it says what it dropped."""
    upstream = serve(journal=Journal(keep=3))

    upstream.statuses(5)

    answer = upstream.http.get("/_control/journal").json()
    assert [each["number"] for each in answer["requests"]] == [3, 4, 5]
    assert answer["dropped"] == 2
    assert upstream.ledger()["total"]["requests"] == 5


def test_journal_is_bounded_in_size(serve: Callable[..., Running]) -> None:
    """Large bodies push older ones out."""
    upstream = serve(journal=Journal(keep_bytes=100_000))

    for _ in range(5):
        upstream.chat(padding="x" * 40_000)

    assert len(upstream.journal()) == 2


def test_body_limit(upstream: Running) -> None:
    """A body beyond the limit is refused, not kept in memory."""
    answer = upstream.http.post("/v1/chat/completions", content=b"x" * (8 * 1024 * 1024 + 1))

    assert answer.status_code == 413


def test_ledger_sums_by_model_and_key(upstream: Running) -> None:
    """Requests and tokens are summed for each provider, upstream, model and key, and over all."""
    upstream.script("answer: {input_tokens: 10, output_tokens: 5, cached_tokens: 4}")
    upstream.chat(model="a", key="k1")
    upstream.chat(model="a", key="k1")
    upstream.chat(model="a", key="k2")
    upstream.chat(model="b", key="k1")

    ledger = upstream.ledger()

    sums = {(each["model"], each["key"]): each for each in ledger["rows"]}
    assert {place: each["requests"] for place, each in sums.items()} == {
        ("a", "k1"): 2,
        ("a", "k2"): 1,
        ("b", "k1"): 1,
    }
    assert sums["a", "k1"]["input"] == 20
    assert ledger["total"] == {
        "requests": 4,
        "answered": 4,
        "refused": 0,
        "broken": 0,
        "input": 40,
        "output": 20,
        "cached": 16,
        "reasoning": 0,
    }


def test_ledger_bills_what_was_sent(upstream: Running) -> None:
    """A refusal costs nothing, a stream that is cut its prompt and the words that were sent."""
    upstream.script("""
        answer: {text: a b c d, input_tokens: 10, output_tokens: 40}
        rules: [{when: {nth: 1}, do: {status: 500}}, {do: {end_after: 1}}]
    """)

    upstream.chat()
    upstream.chat(stream=True)

    total = upstream.ledger()["total"]
    assert (total["requests"], total["answered"], total["refused"]) == (2, 1, 1)
    assert (total["input"], total["output"]) == (10, 10)


def test_wrong_script_changes_nothing(upstream: Running) -> None:
    """A script that is wrong is a 422 with its problems, and the one before stays in force."""
    upstream.script("rules: [{do: {status: 503}}]")

    answer = upstream.http.put("/_control/script", content=b"rules:\n  - do: {statuss: 1}")

    assert answer.status_code == 422
    (problem,) = answer.json()["problems"]
    assert (problem["line"], problem["where"]) == (2, "rules[0].do.statuss")
    assert "status" in problem["allowed"]
    assert upstream.chat().status_code == 503
    assert upstream.http.put("/_control/script", content=b"\xff").status_code == 422


def test_new_script_counts_afresh(upstream: Running) -> None:
    """A script that is put there counts from its first call; the journal stays."""
    script = "rules: [{when: {nth: 1}, do: {status: 500}}]"

    upstream.script(script)
    first = upstream.statuses(2)
    upstream.script(script)

    assert first + upstream.statuses(2) == [500, 200, 500, 200]
    assert len(upstream.journal()) == 4


def test_reset_goes_back_to_the_start(serve: Callable[..., Running]) -> None:
    """A reset clears journal and sums and brings back the script of the start."""
    upstream = serve("rules: [{when: {nth: 1}, do: {status: 500}}]")
    upstream.statuses(1)
    upstream.script("rules: [{do: {status: 429}}]")
    upstream.statuses(1)

    assert upstream.http.post("/_control/reset").status_code == 200

    assert upstream.journal() == []
    assert upstream.ledger()["rows"] == []
    assert upstream.statuses(2) == [500, 200]


def test_reset_can_keep_the_script(serve: Callable[..., Running]) -> None:
    """A reset with script=keep leaves the script and sets its counters to zero."""
    upstream = serve()
    upstream.script("rules: [{when: {nth: 1}, do: {status: 429}}]")
    upstream.statuses(2)

    upstream.http.post("/_control/reset?script=keep")

    assert upstream.statuses(2) == [429, 200]
    assert upstream.http.post("/_control/reset?scrip=keep").status_code == 422


@pytest.mark.parametrize("path", ["/_control/health", "/_control/script", "/_control/journal"])
def test_control_is_never_broken(upstream: Running, path: str) -> None:
    """No rule touches the control side, and it is in no journal."""
    upstream.script("rules: [{match: {calls: any}, do: {close: true}}]")

    assert upstream.http.get(path).status_code == 200
    assert upstream.journal() == []

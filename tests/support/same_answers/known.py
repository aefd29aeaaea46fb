"""Where the gateway's answers are meant to differ from LiteLLM's, with a case that shows each.

docs/differences-from-litellm.md describes each under the same name. A complete answer that reports
its usage is the same on both sides, except where LiteLLM itself loses a part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from support.same_answers.asking import Outcome
from support.same_answers.bodies import SCHEMA
from support.same_answers.cases import THOUGHTS, Case
from support.same_answers.models import BY_ALIAS
from support.same_answers.outcome import differences

HI: list[dict[str, Any]] = [{"role": "user", "content": "Hallo"}]
FORMAT = {"type": "json_schema", "json_schema": {"name": "w", "schema": SCHEMA}}
PASSES = (429, 503)
"""What the gateway answers when a deployment cannot answer: ask again."""

REQUESTS_FAULT = frozenset({"bad_request", "context_window", "content_policy", 402, 409, 413, 422})
"""What the upstream's script calls an error for which the request is to blame."""

OURS_CUT = {"type": "server_error", "param": None, "code": "502"}


@dataclass(frozen=True)
class Difference:
    """A difference that is meant.

    Attributes:
        name: its heading in the docs.
        covers: whether it explains one line of what differs.
        shown_by: a case in which the two sides differ so, and in no other way.
    """

    name: str
    covers: Callable[[Case, Outcome, Outcome, str], bool]
    shown_by: Case


def unexplained(case: Case, ours: Outcome, theirs: Outcome) -> list[str]:
    """Return what differs and is not meant to."""
    return [
        line
        for line in differences(ours, theirs)
        if not any(each.covers(case, ours, theirs, line) for each in DIFFERENCES)
    ]


def _is_provider_trouble(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """The provider's status is told, or ours with the time to wait."""
    del line
    return (
        bool(case.action)
        and REQUESTS_FAULT.isdisjoint(_refusal(case))
        and ours.status in PASSES
        and (theirs.status >= 400 or not theirs.is_whole)
        and "retry-after" in ours.headers
        and ours.document["error"]["type"] in ("service_unavailable", "rate_limit_error")
    )


def _is_about_error_words(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """Status and kind are the same, the words are OpenAI's or LiteLLM's."""
    del case
    if not line.startswith("error."):
        return False
    error, other = ours.document["error"], theirs.document["error"]
    kinds = {"invalid_request_error", "rate_limit_error", "service_unavailable"}
    codes = {"context_length_exceeded", "content_policy_violation", "unsupported_parameter"}
    codes.add(str(ours.status))
    return error["type"] in kinds and error["code"] in codes and other["code"] == str(theirs.status)


def _is_cut(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """What is cut is said to be, and billed as far as it came; LiteLLM ends it in its own ways."""
    del theirs, line
    told = ours.broke if isinstance(ours.broke, dict) else {}
    return (
        bool(case.action)
        and ours.status == 200
        and ours.is_done
        and {name: told.get(name) for name in OURS_CUT} == OURS_CUT
    )


def _is_invented_end(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """LiteLLM ends a stream with `stop` that its provider did not end."""
    del line
    return bool(case.action) and ours.status in PASSES and theirs.is_whole and _streams(case)


def _breaks_schema(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """An answer that breaks the schema asked for is not an answer."""
    del theirs, line
    wanted = case.body.get("response_format", {}).get("type") == "json_schema"
    return wanted and ours.status == 502 and "JSON schema" in ours.document["error"]["message"]


def _is_counted(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """Tokens that the provider does not report are counted."""
    del ours, theirs
    return "no_usage" in case.action and line.startswith(("answer.usage", "row."))


def _is_of_second_choice(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """LiteLLM loses role and finish reason of a stream's later choices, so all of empty ones."""
    del ours
    lost = line.endswith("LiteLLM's None") and ("finish_reason" in line or "role" in line)
    if "empty" in case.action and line.startswith("answer.choices:"):
        lost = len(theirs.document["choices"]) == 1
    return case.body.get("n", 1) > 1 and _streams(case) and lost and "choices.0" not in line


def _is_in_one_choice(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """LiteLLM puts the texts of all choices of a streamed completion into the first."""
    del ours
    one = len(theirs.document["choices"]) == 1
    several = case.path == "completions" and case.body.get("n", 1) > 1 and _streams(case)
    return several and one and line.startswith("answer.choices:")


def _is_hugging_faces_price(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """LiteLLM books its provider huggingface at 0, whatever price is configured."""
    del ours
    free = all(row["spend"] == 0 for row in theirs.rows)
    return case.model.alias == "router" and free and ("usage.cost" in line or ".spend" in line)


def _is_streamed_completion(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """LiteLLM asks a stream of /completions for its usage only where the caller does."""
    del ours
    asked = case.body.get("stream_options") or {}
    unasked = _streams(case) and case.path == "completions" and not asked.get("include_usage")
    free = all(row["spend"] == 0 for row in theirs.rows)
    lost = "logprobs" in line and line.endswith("LiteLLM's None")
    if _streams(case) and case.path == "completions" and lost:
        return True
    return unasked and free and line.startswith(("answer.usage", "row."))


def _is_thought(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """LiteLLM takes the tags out of what an Ollama model thinks aloud, and leaves the thoughts."""
    del ours, theirs
    thinks = case.model.alias == "ollama" and _streams(case) and THOUGHTS in line + str(case.answer)
    return thinks and line.startswith(
        ("answer.choices.0.message", "answer.usage.completion_tokens_details")
    )


def _is_unprocessable(case: Case, ours: Outcome, theirs: Outcome, line: str) -> bool:
    """LiteLLM changes a request that OpenAI calls unprocessable, and loses the answer to that."""
    del theirs, line
    return case.action.get("status") == 422 and ours.status == 422


def _refusal(case: Case) -> tuple[object, object]:
    return case.action.get("error"), case.action.get("status")


def _streams(case: Case) -> bool:
    return case.body.get("stream") is True


def _chat(alias: str, action: dict[str, Any] | None = None, **body: Any) -> Case:
    return Case(BY_ALIAS[alias], "chat/completions", {"messages": HI, **body}, {}, action or {})


DIFFERENCES = (
    Difference(
        "a provider's trouble", _is_provider_trouble, _chat("openai", {"error": "unauthorized"})
    ),
    Difference(
        "an error's words", _is_about_error_words, _chat("vllm", {"error": "context_window"})
    ),
    Difference("a stream that is cut", _is_cut, _chat("claude", {"cut_after": 2}, stream=True)),
    Difference(
        "an end that nobody sent", _is_invented_end, _chat("openai", {"end_after": 0}, stream=True)
    ),
    Difference(
        "an answer that breaks its schema",
        _breaks_schema,
        _chat("vllm", {"bad_json": "prose"}, response_format=FORMAT),
    ),
    Difference("usage that is not reported", _is_counted, _chat("openai", {"no_usage": True})),
    Difference(
        "the choices after the first", _is_of_second_choice, _chat("openai", n=2, stream=True)
    ),
    Difference(
        "the choices of a streamed completion",
        _is_in_one_choice,
        Case(
            BY_ALIAS["text"],
            "completions",
            {
                "prompt": "Hallo",
                "n": 2,
                "stream": True,
                "stream_options": {"include_usage": True},
            },
        ),
    ),
    Difference("Hugging Face's price", _is_hugging_faces_price, _chat("router")),
    Difference(
        "the cost of a streamed completion",
        _is_streamed_completion,
        Case(BY_ALIAS["text"], "completions", {"prompt": "Hallo", "stream": True}),
    ),
    Difference(
        "thoughts in Ollama's streams",
        _is_thought,
        replace(_chat("ollama", stream=True), answer={"text": f"{THOUGHTS}Gut."}),
    ),
    Difference(
        "a request that is unprocessable", _is_unprocessable, _chat("openai", {"status": 422})
    ),
)

"""Every provider, booted from its own env file, to the byte that leaves the gateway and back.

One stack is switched from file to file, as a user would. The scripted upstream stands as each
provider and speaks its own wire format.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import openai
import pytest
import requests

from gateway.config.prices import price_list
from support.provider_boot import Boot, switch
from support.provider_files import PROVIDER_FILES
from support.provider_wire import QUESTION, SCHEMA, SYSTEM, TOOL, WIRES
from support.scripted import control
from support.stack import Stack
from support.wait import until

pytestmark = pytest.mark.long

ROW_SECONDS = 30
BACK_SECONDS = 20
TEXT = "Der Hund schläft im Garten."
MESSAGES: Any = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
USAGE = {"input_tokens": 1000, "cached_tokens": 400, "output_tokens": 50}

plain_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Yield the one stack of this module, not started yet."""
    with Stack({"COMPOSE_PROFILES": "faults", "NUM_RETRIES": "0", "COOLDOWN_TIME": "1"}) as running:
        running.compose("up", "--detach", "--no-build", "postgres", "ollama", "scripted-upstream")
        yield running


@pytest.fixture(scope="module", params=sorted(PROVIDER_FILES))
def boot(request: pytest.FixtureRequest, stack: Stack) -> Iterator[Boot]:
    """Yield the stack, switched to a provider."""
    seconds, remade = switch(stack, request.param)
    with openai.OpenAI(
        base_url=f"{stack.gateway_url}/v1",
        api_key=stack.secret("backend_virtual_key"),
        max_retries=0,
        timeout=60,
    ) as client:
        yield Boot(request.param, stack, client, control(stack), seconds, remade)


def complete(boot: Boot, *, stream: bool, **given: Any) -> Answer:
    """Ask the file's alias through the official client, streamed or not."""
    call = boot.client.chat.completions.with_raw_response
    given = {"model": boot.alias, "messages": MESSAGES, **given}
    if not stream:
        raw = call.create(**given)
        return Answer.of_document(raw.parse(), dict(raw.headers))
    raw = call.create(stream=True, stream_options={"include_usage": True}, **given)
    return Answer.of_chunks(list(raw.parse()), dict(raw.headers))


class Answer:
    """An answer in OpenAI's form, the same whether it was streamed or not."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        self.text = ""
        self.finish: str | None = None
        self.usage: Any = None
        self.tool = ""
        self.arguments = ""

    @classmethod
    def of_document(cls, document: Any, headers: dict[str, str]) -> Answer:
        """Return a whole answer."""
        answer = cls(headers)
        (choice,) = document.choices
        answer.text, answer.finish = choice.message.content or "", choice.finish_reason
        answer.usage = document.usage
        for call in choice.message.tool_calls or []:
            assert call.id
            answer.tool, answer.arguments = call.function.name, call.function.arguments
        return answer

    @classmethod
    def of_chunks(cls, chunks: list[Any], headers: dict[str, str]) -> Answer:
        """Return a streamed answer, put together."""
        answer = cls(headers)
        for chunk in chunks:
            answer.usage = chunk.usage or answer.usage
            for choice in chunk.choices:
                answer.finish = choice.finish_reason or answer.finish
                answer.text += choice.delta.content or ""
                for call in choice.delta.tool_calls or []:
                    answer.tool += call.function.name or ""
                    answer.arguments += call.function.arguments or ""
        return answer


def test_every_file_has_its_wire_described() -> None:
    """No provider's file is left out of this matrix."""
    assert WIRES.keys() == PROVIDER_FILES.keys()


def test_a_switch_recreates_only_gateway_and_backend(
    boot: Boot, counted: Callable[[str], None]
) -> None:
    """`docker compose up -d` with another file leaves database and local model alone."""
    counted(f"switch to {boot.name}: {boot.seconds:.0f} s, while other tests ran")
    assert boot.remade == {"gateway", "backend-stub"}


def test_the_backend_is_answered_by_that_provider(boot: Boot) -> None:
    """The same /extract and /explain reach the file's provider, by its path and key."""
    boot.play()
    for path, body in (
        ("extract", {"text": "Der Hund schläft."}),
        ("explain", {"item": "der Hund", "context": "Der Hund schläft."}),
    ):
        answer = requests.post(f"{boot.stack.backend_url}/{path}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text

    asked = boot.journal()
    assert [entry["path"] for entry in asked] == [boot.wire.path] * 2
    assert {entry["provider"] for entry in asked} == {boot.wire.provider}
    assert boot.wire.form.schema(asked[0]["body"])["properties"].keys() == {"items"}


@plain_and_streamed
def test_a_question_leaves_in_the_providers_form_and_its_answer_comes_back(
    boot: Boot, *, stream: bool
) -> None:
    """Path, key, model, system prompt and question; text, finish reason and token usage."""
    boot.play(answer={**USAGE, "text": TEXT})

    answer = complete(boot, stream=stream, temperature=0.2)

    asked = boot.asked()
    assert asked["path"] == boot.wire.path_of(stream=stream)
    assert (asked["provider"], asked["model"]) == (boot.wire.provider, boot.wire.model)
    assert (asked["stream"], asked["status"]) == (stream, 200)
    if boot.wire.key is None:
        assert "authorization" not in asked["headers"]
    else:
        assert asked["headers"][boot.wire.key[0]] == boot.wire.key[1]
    assert asked["headers"]["x-client-request-id"] == answer.headers["x-litellm-call-id"]
    assert boot.wire.form.said(asked["body"]) == (SYSTEM, QUESTION)
    assert "max_retries" not in asked["body"]
    assert (answer.text, answer.finish) == (TEXT, "stop")
    assert answer.usage.prompt_tokens == USAGE["input_tokens"]
    assert answer.usage.completion_tokens == USAGE["output_tokens"]
    assert answer.usage.total_tokens == USAGE["input_tokens"] + USAGE["output_tokens"]
    if boot.wire.caches:
        assert answer.usage.prompt_tokens_details.cached_tokens == USAGE["cached_tokens"]


@plain_and_streamed
def test_an_answer_that_was_too_long_says_so(boot: Boot, *, stream: bool) -> None:
    """max_tokens reaches the provider, and its own word for the end becomes OpenAI's."""
    boot.play(answer={"text": TEXT})

    answer = complete(boot, stream=stream, max_tokens=2)

    assert (answer.text, answer.finish) == ("Der Hund", "length")


@plain_and_streamed
def test_a_json_schema_leaves_in_the_providers_form(boot: Boot, *, stream: bool) -> None:
    """The provider itself gets the schema, and the answer keeps to it."""
    boot.play()

    wanted = {"name": "word", "strict": True, "schema": SCHEMA}
    answer = complete(
        boot, stream=stream, response_format={"type": "json_schema", "json_schema": wanted}
    )

    assert boot.wire.form.schema(boot.asked()["body"]) == SCHEMA
    assert json.loads(answer.text).keys() == {"word"}
    assert answer.finish == "stop"


@plain_and_streamed
def test_a_tool_call_comes_back_in_openais_form(boot: Boot, *, stream: bool) -> None:
    """The tool and that it is forced leave in the provider's form; the call has name and JSON."""
    boot.play()

    answer = complete(
        boot,
        stream=stream,
        tools=[{"type": "function", "function": {"name": TOOL, "parameters": SCHEMA}}],
        tool_choice={"type": "function", "function": {"name": TOOL}},
    )

    asked = boot.asked()["body"]
    assert boot.wire.form.tool(asked) == (TOOL, SCHEMA)
    if boot.wire.form.forced is not None:
        assert boot.wire.form.forced(asked)
    assert (answer.tool, answer.finish) == (TOOL, "tool_calls")
    assert json.loads(answer.arguments).keys() == {"word"}


def cost(boot: Boot, *, cached: int) -> Decimal:
    """Return what USAGE costs in USD with some of its tokens cached."""
    prices = boot.wire.prices
    if isinstance(prices, str):
        listed = price_list()[prices]
        names = ("input", "cache_read_input_token", "output")
        keys = [f"{name}_cost" if "token" in name else f"{name}_cost_per_token" for name in names]
        whole, from_cache, output = (Decimal(f"{listed[key]:.12f}") for key in keys)
    else:
        whole, from_cache, output = map(Decimal, prices)
    uncached = USAGE["input_tokens"] - cached
    return uncached * whole + cached * from_cache + USAGE["output_tokens"] * output


@pytest.mark.parametrize("cached", [0, USAGE["cached_tokens"]], ids=["uncached", "cached"])
def test_the_cost_is_that_of_the_price_list(boot: Boot, cached: int) -> None:
    """Header, streamed usage and spend logs agree with it to the 10th decimal."""
    boot.play(answer={**USAGE, "cached_tokens": cached})
    expected = cost(boot, cached=cached if boot.wire.caches else 0)

    answers = [complete(boot, stream=stream) for stream in (False, True)]

    header = answers[0].headers.get("x-litellm-response-cost", "0")
    assert rounded(header) == rounded(expected)
    assert rounded(answers[1].usage.cost) == rounded(expected)
    for answer in answers:
        row = spend_row(boot.stack, answer.headers["x-litellm-call-id"])
        assert rounded(row["spend"]) == rounded(expected)
        assert row["prompt_tokens"] == USAGE["input_tokens"]
        assert row["completion_tokens"] == USAGE["output_tokens"]
        assert row["model_group"] == boot.alias


def rounded(amount: object) -> Decimal:
    """Return an amount in USD with ten decimals."""
    return round(Decimal(str(amount)), 10)


def spend_row(stack: Stack, call: str) -> dict[str, Any]:
    """Return the spend log of a call, as soon as it is written."""
    return until(
        lambda: stack.sql('SELECT * FROM "LiteLLM_SpendLogs" WHERE litellm_call_id = %s', call),
        seconds=ROW_SECONDS,
        what=f"the spend log of {call}",
    )[0]


# A refused key keeps a deployment in cooldown for a minute, so it comes last.
ERRORS = [
    ("bad_request", {}, 400),
    ("server_error", {}, 503),
    ("rate_limit", {"retry_after": 1}, 429),
    ("not_found", {}, 503),
    ("unauthorized", {}, 503),
]


@pytest.mark.parametrize(("error", "more", "status"), ERRORS, ids=[error for error, *_ in ERRORS])
def test_an_error_comes_back_in_openais_form(
    boot: Boot, error: str, more: dict[str, Any], status: int
) -> None:
    """The official client raises its own class for it, streamed or not, without a trace.

    A missing model, a refused key and a failing provider are the gateway's own troubles: its
    caller's request and key are fine, so the caller hears 503.
    """
    # Both are with the provider before the first answer: else the second would not be asked.
    boot.play(rules=[{"name": error, "do": {"error": error, "stall": 0.5, **more}}])

    with ThreadPoolExecutor() as pool:
        plain, streamed = pool.map(lambda stream: failure(boot, stream=stream), [False, True])

    assert len(boot.journal()) == 2
    for raised in (plain, streamed):
        assert raised.status_code == status, raised
        assert raised.type
        assert raised.body["message"]
        assert "Traceback" not in str(raised.body)
    if error == "rate_limit":
        assert isinstance(plain, openai.RateLimitError)
        assert int(plain.response.headers["retry-after"]) >= 1
    if error != "unauthorized":
        boot.play()
        until(lambda: answers(boot), seconds=BACK_SECONDS, what=f"{boot.alias} to be in use")


def failure(boot: Boot, *, stream: bool) -> Any:
    """Return what the client raises."""
    with pytest.raises(openai.APIStatusError) as raised:
        complete(boot, stream=stream)
    return raised.value


def answers(boot: Boot) -> bool:
    """Return whether the alias answers."""
    try:
        return complete(boot, stream=False).finish == "stop"
    except openai.APIStatusError:
        return False

"""Answers that break the JSON schema which their request asked for."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gateway.errors import GatewayError
from gateway.routing.schema_check import requested_schema
from unit.routing import fakes
from unit.routing.fakes import FAST, IN_SCHEMA, deployment, routing

GOOD = '{"n":1}'


@pytest.mark.parametrize("stream", [False, True])
async def test_a_broken_schema_is_repaired_by_who_broke_it(*, stream: bool) -> None:
    """A deployment that broke the schema gets its answer back to repair; both are billed."""
    async with routing() as made:
        made.provider.script["first"] = ["eins", GOOD]
        assert await made.text(stream=stream, response_format=IN_SCHEMA) == GOOD
        assert made.outcomes() == [("first", "broke-schema"), ("first", "answered")]
        sent_back = made.provider.asked[1][1]["messages"]
        assert sent_back[-2]["role"] == "assistant"
        assert sent_back[-2]["content"].strip() == "eins"
        assert "not JSON" in sent_back[-1]["content"]
        assert made.last is not None
        assert [each.bill is not None for each in made.last.attempts] == [True, True]
        assert made.last.wasted_cost == pytest.approx(0.011)
        assert len(made.last.body["messages"]) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_schema_broken_twice_falls_back(*, stream: bool) -> None:
    """When a deployment breaks the schema twice, the fallback answers without a cooldown."""
    async with routing() as made:
        made.provider.default.update(first="eins", second=GOOD)
        assert await made.text(stream=stream, response_format=IN_SCHEMA) == GOOD
        assert made.outcomes() == [("first", "broke-schema")] * 2 + [("second", "answered")]
        assert made.condition("first") == "up"


async def test_a_schema_broken_twice_goes_to_the_twin_first() -> None:
    """When a deployment breaks the schema twice, another one of its alias is asked next."""
    twins = (deployment("first", "a"), deployment("first", "b"), deployment("second"))
    async with routing(*twins, fallbacks={"first": ("second",)}) as made:
        made.provider.default.update(a="eins", b=GOOD)
        for _ in range(10):
            assert await made.text(response_format=IN_SCHEMA) == GOOD
            assert made.outcomes()[-1] == ("b", "answered")
        assert made.provider.calls("second") == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_when_everybody_breaks_the_schema_it_is_a_bad_gateway(*, stream: bool) -> None:
    """When every deployment breaks the schema twice, the caller gets 502 and no broken answer."""
    async with routing() as made:
        made.provider.default.update(first="eins", second="zwei")
        with pytest.raises(
            GatewayError, match="no model kept to the requested JSON schema"
        ) as told:
            await made.ask(stream=stream, response_format=IN_SCHEMA)
        assert told.value.status == 502
        assert [made.provider.calls(name) for name in ("first", "second")] == [2, 2]


async def test_a_repair_that_fails_is_a_failure_like_any_other() -> None:
    """When a deployment fails during a repair, the fallback answers."""
    async with routing() as made:
        made.provider.script["first"] = ["eins", fakes.LIMITED]
        made.provider.default["second"] = GOOD
        assert await made.text(response_format=IN_SCHEMA) == GOOD
        assert made.outcomes() == [
            ("first", "broke-schema"),
            ("first", "limited"),
            ("second", "answered"),
        ]


@pytest.mark.parametrize("stream", [False, True])
async def test_no_deployment_is_paid_more_than_twice(*, stream: bool) -> None:
    """No deployment is paid more than twice for a request, however repairs and streams fail."""
    broken = fakes.Cut("eins zwei", fakes.ERROR) if stream else "eins"

    twins = (deployment("first", "a"), deployment("first", "b"))
    async with routing(*twins, num_retries=8, settings=replace(FAST, allowed_fails=99)) as made:
        made.provider.script["a"] = [broken, fakes.ERROR] * 4
        made.provider.script["b"] = [fakes.ERROR, broken, "zwei"] * 4
        with pytest.raises(GatewayError):
            await made.ask(stream=stream, response_format=IN_SCHEMA)
        assert made.last is not None
        paid = [each.deployment.id for each in made.last.attempts if each.bill is not None]
        assert paid
        assert max(paid.count(name) for name in "ab") <= 2


async def test_repair_can_be_switched_off() -> None:
    """With schema repair switched off, a broken answer is passed on as it came."""
    async with routing(settings=replace(FAST, schema_repair=False)) as made:
        made.provider.default["first"] = "eins"
        assert await made.text(response_format=IN_SCHEMA) == "eins"


DOUBLING = {
    "$defs": {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(30)}
    | {"a30": {"type": "integer"}},
    "$ref": "#/$defs/a0",
}


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"type": "string", "pattern": "^(a+)+$"}, f'"{"a" * 60}!"'),
        ({"type": "string", "pattern": "a*a*a*a*a*b"}, f'"{"a" * 3000}"'),
        (DOUBLING, '"x"'),
        ({"$ref": "#"}, "1"),
        ({"items": {"anyOf": [{"const": n} for n in range(1000)]}}, f"[{','.join(['-1'] * 2000)}]"),
        ({"$ref": "http://127.0.0.1:1/schema.json"}, "1"),
    ],
)
async def test_no_schema_keeps_the_gateway_busy(schema: dict[str, object], answer: str) -> None:
    """A schema that takes too long to check, or has to be fetched, counts as kept."""
    found = await requested_schema({"type": "json_schema", "json_schema": {"schema": schema}})
    assert found is not None
    began = time.process_time()
    assert await found.violation(answer) is None
    assert time.process_time() - began < 10  # unbounded, each would take minutes


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("", "not JSON"),
        ("Der Apfel", "not JSON"),
        ('```json\n{"artikel": "der"}\n```', "not JSON"),
        ('{"artikel": "den"}', "$.artikel"),
        ("{}", "artikel"),
        ('{"artikel": "der", "wort": 1}', "wort"),
        ('{"artikel": "der", "jahr": "19x"}', "$.jahr"),
        (f'{{"artikel": "{"x" * 5000}"}}', "$.artikel"),
        (' {"artikel": "der", "jahr": "1999"}\n', None),
    ],
)
async def test_a_broken_answer_is_told_how(answer: str, said: str | None) -> None:
    """A schema violation says in fewer than 300 characters what is wrong and where."""
    schema = {
        "type": "object",
        "properties": {
            "artikel": {"enum": ["der", "die", "das"]},
            "jahr": {"type": "string", "pattern": r"^\d{4}$"},
        },
        "required": ["artikel"],
        "additionalProperties": False,
    }

    found = await requested_schema({"type": "json_schema", "json_schema": {"schema": schema}})
    assert found is not None
    broken = await found.violation(answer)
    if said is None:
        assert broken is None
    else:
        assert said in (broken or "")
        assert len(broken or "") < 300


@pytest.mark.parametrize(
    "response_format",
    [
        None,
        "json",
        {"type": "json_object"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"schema": {"type": 7}}},
    ],
)
async def test_without_a_usable_schema_nothing_is_checked(response_format: object) -> None:
    """A request without a usable schema has no answer checked."""
    assert await requested_schema(response_format) is None

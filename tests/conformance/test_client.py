"""prisma-client-py 0.15, the client that LiteLLM uses, on litellm/prisma-engine."""

# the generated client is not typed for strict mode, and large
from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.prisma_engine import Database

    Run = Callable[[Any], Any]

BUDGET = {"created_by": "test", "updated_by": "test"}


@pytest.fixture(autouse=True)
def _empty_tables(client_database: Database) -> None:
    client_database.sql('TRUNCATE "LiteLLM_BudgetTable", "LiteLLM_SpendLogs" CASCADE')


def budgets(database: Database) -> list[str]:
    """Return the ids of the stored budgets, in order."""
    rows = database.sql('SELECT budget_id FROM "LiteLLM_BudgetTable" ORDER BY budget_id')
    return [row[0] for row in rows]


def test_a_record_comes_back_with_every_type_it_was_given(
    client: Any, generated_client: Any, client_database: Database, run_async: Run
) -> None:
    """Text, numbers, times, lists and JSON read back equal, and plain SQL sees JSON as JSON."""
    at = dt.datetime(2024, 5, 1, 10, 0, 0, 123000, tzinfo=dt.timezone.utc)
    limits = {"models": ["ü", {"deep": [1, None, True]}], "$type": "Json"}
    data = {
        **BUDGET,
        "budget_id": 'b "1" \\ 🐘',
        "max_budget": 0.1,
        "tpm_limit": 2**40,
        "budget_reset_at": at,
        "allowed_models": ["a", "b,c", ""],
        "model_max_budget": generated_client.Json(limits),
    }
    made = run_async(client.litellm_budgettable.create(data=data))
    found = run_async(
        client.litellm_budgettable.find_unique(where={"budget_id": data["budget_id"]})
    )
    for record in (made, found):
        assert record.max_budget == 0.1
        assert record.tpm_limit == 2**40
        assert record.budget_reset_at == at
        assert record.allowed_models == data["allowed_models"]
        assert record.model_max_budget == limits
    stored = client_database.sql(
        'SELECT model_max_budget, jsonb_typeof(model_max_budget) FROM "LiteLLM_BudgetTable"'
    )
    assert stored == [(limits, "object")]


def test_find_order_count_and_group(client: Any, run_async: Run) -> None:
    """Filters, order, paging, count and group_by agree with what was stored."""

    async def steps() -> None:
        table = client.litellm_budgettable
        await table.create_many(
            data=[
                {**BUDGET, "budget_id": f"b{i}", "max_budget": i, "budget_duration": f"{i % 2}d"}
                for i in range(5)
            ]
        )
        found = await table.find_many(
            where={"OR": [{"max_budget": {"gt": 2}}, {"budget_id": {"in": ["b0"]}}]},
            order={"max_budget": "desc"},
            skip=1,
            take=2,
        )
        assert [budget.budget_id for budget in found] == ["b3", "b0"]
        assert await table.count(where={"budget_duration": "1d"}) == 2
        groups = await table.group_by(
            by=["budget_duration"],
            sum={"max_budget": True},
            count=True,
            order={"budget_duration": "asc"},
        )
        assert [
            (g["budget_duration"], g["_sum"]["max_budget"], g["_count"]["_all"]) for g in groups
        ] == [
            ("0d", 6.0, 3),
            ("1d", 4.0, 2),
        ]

    run_async(steps())


def test_a_batch_is_all_or_nothing(
    client: Any, generated_client: Any, client_database: Database, run_async: Run
) -> None:
    """What batch_() collects is stored together, or not at all."""

    async def store(*ids: str) -> None:
        async with client.batch_() as batch:
            for budget_id in ids:
                batch.litellm_budgettable.create(data={**BUDGET, "budget_id": budget_id})

    run_async(store("a", "b"))
    assert budgets(client_database) == ["a", "b"]
    with pytest.raises(generated_client.errors.UniqueViolationError):
        run_async(store("c", "a"))
    assert budgets(client_database) == ["a", "b"]


def test_a_batch_upserts_and_increments_as_the_daily_totals_do(client: Any, run_async: Run) -> None:
    """An upsert with an increment, twice in a batch, counts twice."""

    async def steps() -> Any:
        async with client.batch_() as batch:
            for _ in range(2):
                batch.litellm_budgettable.upsert(
                    where={"budget_id": "a"},
                    data={
                        "create": {**BUDGET, "budget_id": "a", "max_budget": 1.5},
                        "update": {"max_budget": {"increment": 1.5}},
                    },
                )
        return await client.litellm_budgettable.find_unique(where={"budget_id": "a"})

    assert run_async(steps()).max_budget == 3.0


def test_a_transaction_commits_rolls_back_and_expires(
    client: Any, generated_client: Any, client_database: Database, run_async: Run
) -> None:
    """tx() stores at its end, nothing after an exception, and nothing after its timeout."""
    create = {"data": {**BUDGET, "budget_id": "a"}}

    async def commit() -> None:
        async with client.tx() as tx:
            await tx.litellm_budgettable.create(**create)
            assert await client.litellm_budgettable.count() == 0

    async def roll_back() -> None:
        async with client.tx() as tx:
            await tx.litellm_budgettable.delete_many()
            raise KeyError

    async def expire() -> None:
        async with client.tx(timeout=dt.timedelta(milliseconds=100)) as tx:
            await tx.litellm_budgettable.delete_many()
            await asyncio.sleep(0.4)
            await tx.litellm_budgettable.count()

    run_async(commit())
    with pytest.raises(KeyError):
        run_async(roll_back())
    with pytest.raises(generated_client.errors.TransactionExpiredError):
        run_async(expire())
    assert budgets(client_database) == ["a"]


def test_many_transactions_at_once_leave_no_connection_behind(client: Any, run_async: Run) -> None:
    """Forty transactions at once all succeed, and so do another forty after them."""

    async def one() -> None:
        async with client.tx(max_wait=dt.timedelta(seconds=5)) as tx:
            await tx.query_raw("SELECT pg_sleep(0.01)")

    async def many() -> list[Any]:
        return await asyncio.gather(*(one() for _ in range(40)), return_exceptions=True)

    for _ in range(2):
        assert run_async(many()) == [None] * 40


def test_raw_values_have_python_types(client: Any, run_async: Run) -> None:
    """query_raw gives JSON as objects, big integers as int, decimals as float, the rest as text."""
    rows = run_async(
        client.query_raw(
            """SELECT 1 AS i, 9007199254740993::int8 AS b, 1.5::numeric AS d, 0.1::float8 AS f,
              true AS t, '{"a": [1, "x"]}'::jsonb AS j, '[]'::json AS l, 'n'::name AS n,
              'pg_class'::regclass AS r, 'pg_class'::regclass::oid AS o,
              '2024-05-01 10:00:00+02'::timestamptz AS ts, '2024-05-01'::date AS da,
              '10:00:00'::time AS ti, '6dd2bd0e-1ee1-4c0c-a5b1-8b1b0a7f2a0e'::uuid AS u,
              '\\x00ff'::bytea AS by, ARRAY['a', NULL] AS ta, ARRAY[1::int8] AS ba,
              interval '1 hour' AS iv, '10.0.0.1'::inet AS ip, NULL AS nu, $1 AS p""",
            "param",
        )
    )
    assert rows == [
        {
            "i": 1,
            "b": 9007199254740993,
            "d": 1.5,
            "f": 0.1,
            "t": True,
            "j": {"a": [1, "x"]},
            "l": [],
            "n": "n",
            "r": "pg_class",
            "o": 1259,
            "ts": "2024-05-01T08:00:00+00:00",
            "da": "2024-05-01",
            "ti": "10:00:00",
            "u": "6dd2bd0e-1ee1-4c0c-a5b1-8b1b0a7f2a0e",
            "by": "AP8=",
            "ta": ["a", None],
            "ba": [1],
            "iv": "01:00:00",
            "ip": "10.0.0.1",
            "nu": None,
            "p": "param",
        }
    ]


def test_execute_raw_counts_rows(client: Any, run_async: Run) -> None:
    """execute_raw returns how many rows it changed."""
    run_async(client.litellm_budgettable.create(data={**BUDGET, "budget_id": "a"}))
    statement = 'UPDATE "LiteLLM_BudgetTable" SET max_budget = $1 WHERE budget_id = ANY($2)'
    assert run_async(client.execute_raw(statement, 2.5, ["a", "b"])) == 1


def test_errors_are_the_clients_own(client: Any, generated_client: Any, run_async: Run) -> None:
    """Violations, missing records and tables raise the exceptions that LiteLLM catches."""
    errors = generated_client.errors
    table = client.litellm_budgettable
    run_async(table.create(data={**BUDGET, "budget_id": "a"}))
    with pytest.raises(errors.UniqueViolationError) as unique:
        run_async(table.create(data={**BUDGET, "budget_id": "a"}))
    assert unique.value.meta["target"] == ["budget_id"]
    with pytest.raises(errors.ForeignKeyViolationError):
        run_async(
            client.litellm_verificationtoken.create(data={"token": "t", "budget_id": "nowhere"})
        )
    with pytest.raises(errors.RecordNotFoundError):
        run_async(table.find_unique_or_raise(where={"budget_id": "nowhere"}))
    assert run_async(table.update(where={"budget_id": "nowhere"}, data={"max_budget": 1})) is None
    assert run_async(table.delete(where={"budget_id": "nowhere"})) is None
    with pytest.raises(errors.MissingRequiredValueError):
        run_async(table.create(data={"budget_id": "b"}))
    with pytest.raises(errors.FieldNotFoundError):
        run_async(table.find_many(where={"nothing": 1}))
    with pytest.raises(errors.RawQueryError, match='relation "nowhere" does not exist'):
        run_async(client.query_raw("SELECT * FROM nowhere"))


def test_the_engine_can_be_replaced_as_litellm_does(client: Any) -> None:
    """The client's engine can be replaced under its name of version 0.11, as LiteLLM does."""
    engine = client._engine
    client._Prisma__engine = engine
    assert client._Prisma__engine is engine


def test_the_client_is_light(generated_client: Any) -> None:
    """The generated types refer to themselves instead of being unrolled into a huge file."""
    types = Path(generated_client.__path__[0]) / "types.py"
    assert "Recursive1" not in types.read_text()

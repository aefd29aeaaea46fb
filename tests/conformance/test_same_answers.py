"""The gateway answers as plain LiteLLM does: generated requests to both, compared."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from support.long import LONG, rounds
from support.prisma_engine import Database, create_database, drop_database
from support.same_answers.cases import Case, cases
from support.same_answers.known import DIFFERENCES, Difference, unexplained
from support.same_answers.outcome import DECIMALS, differences
from support.same_answers.sides import Sides, both_sides
from support.wait import until

SEED = int(os.environ.get("SAME_ANSWERS_SEED") or (secrets.randbits(32) if LONG else 0))
"""Of the generated requests: the same ones always, with --long others each time."""

APPLIED_SECONDS = 30

generated = settings(
    # No shrinking: a case is short as it is, and one that LiteLLM never answers costs a minute.
    phases=(Phase.generate,),
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """Give an empty database."""
    made = create_database()
    yield made
    drop_database(made)


@pytest.fixture(scope="module")
def sides(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sides]:
    """Give the gateway and plain LiteLLM, with one configuration and one upstream."""
    with both_sides(tmp_path_factory.mktemp("same-answers"), database) as both:
        yield both


def compare(sides: Sides, case: Case) -> None:
    """Ask both and hold one answer against the other."""
    ours, theirs = sides.ask(case)
    found = unexplained(case, ours, theirs)
    replay = f"SAME_ANSWERS_SEED={SEED} replays this run, and this is the case:\n{case!r}"
    assert not found, "\n".join([*found, replay])


@seed(SEED)
@settings(generated, max_examples=rounds(210, long=2100))
@given(case=cases())
def test_an_answer_is_the_same(sides: Sides, case: Case) -> None:
    """The gateway answers a generated request as LiteLLM does, down to usage and cost."""
    compare(sides, case)


@seed(SEED)
@settings(generated, max_examples=rounds(90, long=900))
@given(case=cases(faulty=True))
def test_a_failure_is_the_same(sides: Sides, case: Case) -> None:
    """The gateway fails as LiteLLM does, for errors, malformed answers and cut streams."""
    compare(sides, case)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda each: each.name)
def test_a_difference_shows(sides: Sides, difference: Difference) -> None:
    """Each listed difference from LiteLLM still exists and explains all that differs."""
    ours, theirs = sides.ask(difference.shown_by)
    found = differences(ours, theirs)
    assert found, "there is no such difference any more: take it out of the list and the docs"
    unlike = [
        line for line in found if not difference.covers(difference.shown_by, ours, theirs, line)
    ]
    assert not unlike, "\n".join(unlike)


def test_what_was_booked_is_in_the_database(sides: Sides, database: Database) -> None:
    """The costs that were compared are those that reach the database."""
    booked = sides.booked()
    assert booked

    def rows() -> dict[str, float]:
        found = database.sql(
            "SELECT metadata->'gateway'->>'record', spend FROM \"LiteLLM_SpendLogs\""
        )
        spends = {identity: round(spend, DECIMALS) for identity, spend in found}
        assert spends.keys() >= booked.keys(), "the applier is not through"
        return spends

    found = until(rows, seconds=APPLIED_SECONDS, what="the journal to be in the database")
    assert {identity: found[identity] for identity in booked} == booked

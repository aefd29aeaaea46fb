"""A gateway's part of a limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.access.caller import Caller, Entity, Kind
from gateway.limits.limits import Limits
from gateway.replicas.replicas import Place


@given(limit=st.integers(-1, 10**9), count=st.integers(1, 70))
def test_all_parts_together_are_the_limit(limit: int, count: int) -> None:
    """No unit is lost or handed out twice; of a limit below the number of gateways each has one."""
    parts = [Place(rank, count).part(limit) for rank in range(count)]

    if limit <= 0:
        assert set(parts) == {limit}
    else:
        assert sum(parts) == max(limit, count)
        assert max(parts) - min(parts) <= 1


def test_limits_follow_the_number_of_gateways_while_requests_are_under_way() -> None:
    """An account that is in use has the new part at once, and what it counted stays counted."""
    entity = Entity(Kind.KEY, "hash", rpm=7, tpm=70, max_parallel=6)
    limits = Limits()

    def headers() -> dict[str, str]:
        coroutine = limits.reserve(Caller(entities=(entity,)), 0.0, 10)
        try:
            coroutine.send(None)
        except StopIteration as end:
            return dict(end.value.headers)
        raise AssertionError("there is room")

    assert headers()["x-ratelimit-api_key-remaining-requests"] == "6"
    limits.share(Place(1, 2).part)
    shared = headers()
    limits.share(Place().part)
    whole = headers()

    assert shared["x-ratelimit-api_key-limit-requests"] == "3"
    assert shared["x-ratelimit-api_key-remaining-requests"] == "1"
    assert shared["x-ratelimit-api_key-limit-tokens"] == "35"
    assert whole["x-ratelimit-api_key-remaining-requests"] == "4"
    assert whole["x-ratelimit-api_key-remaining-max_parallel_requests"] == "3"

"""Fixtures of the scripted upstream's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .running import Running


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    """Yield a function that starts an upstream with a script."""
    started: list[Running] = []

    def start(*arguments: str, **options: object) -> Running:
        started.append(Running.start(*arguments, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture(scope="session")
def one_for_all() -> Iterator[Running]:
    """Yield an upstream that starts with an empty script and serves the whole session."""
    started = Running.start()
    yield started
    started.stop()


@pytest.fixture
def upstream(one_for_all: Running) -> Running:
    """Return an upstream with an empty script, an empty journal and no sums."""
    assert one_for_all.http.post("/_control/reset").status_code == 200
    return one_for_all

"""Who is told of requests: once of each, and of every cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from unit.failover.router_stack import IN_SCHEMA, ONE, TWO, stack, until
from unit.failover.upstream import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.failover.record import RequestRecord
    from unit.failover.router_stack import Run

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")


class Told:
    """Remembers what it was told.

    Attributes:
        finished_with: the status of each request.
        bills: deployment and cost of each answer.
        first_tokens: of each request, whether the time of its first token is known.
    """

    def __init__(self) -> None:
        self.finished_with: list[int] = []
        self.bills: list[tuple[str, float]] = []
        self.first_tokens: list[bool] = []

    def finished(self, record: RequestRecord, status: int) -> None:
        """Takes note of a request."""
        self.finished_with.append(status)
        self.first_tokens.append(record.first_token is not None)

    def billed(self, payload: Mapping[str, Any]) -> None:
        """Takes note of a cost."""
        self.bills.append((payload["model_id"], round(payload["response_cost"], 6)))


def test_every_answer_is_billed_and_the_request_finished_once(run: Run) -> None:
    """Two answers that broke the schema and the one that did not: three bills, one request."""

    async def test() -> None:
        async with stack() as made:
            made.failover.callback.observer = told = Told()
            made.primary.default = Reply("eins")
            made.second.default = Reply('{"n": 2}')
            response = await made.ask(response_format=IN_SCHEMA)
            for _ in range(2):
                await made.failover.callback.async_post_call_response_headers_hook(
                    {"litellm_call_id": "call-1"}, None, response
                )
            await until(lambda: len(told.bills) == 3)
            assert sorted(told.bills) == [(ONE, 0.011), (ONE, 0.011), (TWO, 0.012)]
            assert told.finished_with == [200]
            assert told.first_tokens == [False]

    run(test())


def test_a_stream_is_finished_at_its_end_with_the_time_of_its_first_token(run: Run) -> None:
    """It is told of after its last token, with its bill."""

    async def test() -> None:
        async with stack() as made:
            made.failover.callback.observer = told = Told()
            await made.text(stream=True, stream_options={"include_usage": True})
            await until(lambda: bool(told.finished_with))
            assert told.finished_with == [200]
            assert told.first_tokens == [True]
            assert [deployment for deployment, _ in told.bills] == [ONE]

    run(test())


@pytest.mark.parametrize(("given", "status"), [(400, 400), ("404", 404), (None, 500)])
def test_a_failed_request_is_finished_with_its_status(
    run: Run, given: int | str | None, status: int
) -> None:
    """Also where LiteLLM writes the status as text, or has none."""

    async def test() -> None:
        async with stack() as made:
            made.failover.callback.observer = told = Told()
            await made.ask()
            error: Any = SimpleNamespace(status_code=given) if given else SimpleNamespace()
            await made.failover.callback.async_post_call_failure_hook({}, error, None)
            assert told.finished_with == [status]

    run(test())

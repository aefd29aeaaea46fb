"""The request's id on its way to providers, and in what LiteLLM accounts for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.request_ids import CLIENT_REQUEST_ID
from unit.failover.router_stack import FALLBACK, IN_SCHEMA, PROVIDERS, REQUEST_ID, stack, until
from unit.failover.upstream import Reply

if TYPE_CHECKING:
    from unit.failover.router_stack import Run, Stack

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")


def ids(made: Stack) -> list[str | None]:
    """Returns the id of each request that reached a provider: the first ones, then the second's."""
    headers = [*made.primary.headers, *made.second.headers]
    return [each.get(CLIENT_REQUEST_ID) for each in headers]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_attempt_carries_the_requests_id(run: Run, provider: str, *, stream: bool) -> None:
    """The call that broke the schema, its repair and the fallback all have the one id."""

    async def test() -> None:
        async with stack(provider=provider) as made:
            made.primary.default = Reply("eins")
            made.second.default = Reply('{"n": 2}')
            await made.text(stream=stream, response_format=IN_SCHEMA)
            assert made.outcomes()[-1] == FALLBACK
            assert ids(made) == [REQUEST_ID] * 3

    run(test())


def test_a_caller_cannot_put_another_id_in_its_place(run: Run) -> None:
    """`extra_headers` of a request go on to the provider, but not under the name of the id."""

    async def test() -> None:
        async with stack() as made:
            given = {"X-Client-Request-Id": "forged", "x-mine": "kept"}
            await made.text(extra_headers=given)
            assert ids(made) == [REQUEST_ID]
            assert made.primary.headers[0]["x-mine"] == "kept"

    run(test())


def test_a_repairs_call_id_begins_with_the_requests(run: Run) -> None:
    """So that its spend row is found by the id that the caller has."""

    async def test() -> None:
        import litellm  # noqa: PLC0415 -- seconds, and not for every test
        from litellm.integrations.custom_logger import CustomLogger  # noqa: PLC0415 -- as above

        calls: list[str] = []

        class Callback(CustomLogger):  # type: ignore[misc] # LiteLLM is not typed
            async def async_log_success_event(
                self, kwargs: dict[str, Any], *_: object, **__: object
            ) -> None:
                calls.append(kwargs["litellm_call_id"])

        async with stack() as made:
            litellm.callbacks.append(Callback())
            made.primary.replies = [Reply("eins"), Reply('{"n": 1}')]
            await made.text(response_format=IN_SCHEMA, litellm_call_id=REQUEST_ID)
            await until(lambda: len(calls) == 2)
            assert sorted(calls) == [REQUEST_ID, f"{REQUEST_ID}-2"]

    run(test())

"""The one method of LiteLLM that is wrapped, and what happens when it is another."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.failover.version_guard import changed_sources
from unit.failover.router_stack import FAST

pytestmark = pytest.mark.filterwarnings("default")


def test_the_installed_litellm_is_the_one_that_was_read() -> None:
    """The sources of the pinned version have the hashes in the guard."""
    import litellm  # noqa: PLC0415 -- seconds

    assert changed_sources(litellm.Router) == []


def test_another_litellm_is_left_as_it_is_and_said_so() -> None:
    """A router whose methods differ is not wrapped, and the log says what is lost."""
    from gateway.failover.failover import Failover  # noqa: PLC0415 -- imports LiteLLM

    class OtherRouter:
        """A router of some other version."""

        model_list: list[dict[str, Any]] = []  # noqa: RUF012 -- never changed

        async def _acompletion(self) -> None:
            """Is not what was read."""

    said: list[str] = []
    router = OtherRouter()
    failover = Failover(FAST, lambda message, level: said.append(f"{level} {message}"), print)
    failover.attach(router)
    assert "_acompletion" not in vars(router)
    assert said[0].startswith("ERROR failover was read for LiteLLM")
    assert "_acompletion_streaming_iterator" in said[0]

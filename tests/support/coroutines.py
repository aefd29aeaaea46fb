"""A test that is a coroutine function runs in an event loop of its own.

anyio's plugin does the same, but waits for ever for a test that hangs.
"""

from __future__ import annotations

import asyncio
import inspect

import pytest

SECONDS = 120
"""A test that hangs fails after so long."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the test, and say so; leave any other to pytest."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**arguments), SECONDS))
    return True

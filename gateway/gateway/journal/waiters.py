"""Futures that wait until a file is durable, and how they are resolved."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.journal.segments import Segment


@dataclass(frozen=True)
class Waiter:
    """A future that waits until a file is durable.

    Attributes:
        segment: the file.
        done: the future, resolved when the file is durable.
    """

    segment: Segment
    done: asyncio.Future[None]


def already_done() -> asyncio.Future[None]:
    """Return a future that is already resolved."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def resolve(waiters: Sequence[Waiter], error: OSError | None) -> None:
    """Resolve all futures, each on its own event loop."""
    running = asyncio._get_running_loop()  # noqa: SLF001 -- None in a thread
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for waiter in waiters:
        by_loop.setdefault(waiter.done.get_loop(), []).append(waiter.done)
    for loop, futures in by_loop.items():
        if loop is running:
            _resolve(futures, error)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, futures, error)


def _resolve(futures: list[asyncio.Future[None]], error: OSError | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
            future.exception()  # mark it as read: a future that is not awaited needs no warning

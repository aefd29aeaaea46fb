"""LiteLLM's proxy as the supervisor sees it: a port of loopback."""

from __future__ import annotations

import asyncio
import contextlib

HOST = "127.0.0.1"
LIVELINESS = "/health/liveliness"
"""LiteLLM's documented check that it serves; it needs no key and asks nobody."""

_SECONDS = 2.0


async def is_alive(port: int) -> bool:
    """Return whether LiteLLM answers there."""
    try:
        return await asyncio.wait_for(_answers(port), _SECONDS)
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
        return False


async def _answers(port: int) -> bool:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(
            f"GET {LIVELINESS} HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n".encode()
        )
        return b" 200 " in await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

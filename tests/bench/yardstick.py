"""A plain program of the gateway's kind, which nobody changes: `guard` measures the gateway by it.

It takes JSON, asks the upstream, returns the answer, in Python and on one event loop. A machine
that is slow, or Python of another version, moves both alike.
"""

from __future__ import annotations

import asyncio
import os

from aiohttp import ClientSession, web

PORT = 8080


async def answer(request: web.Request) -> web.Response:
    """Ask the upstream what was asked here."""
    body = await request.json()
    session = request.app[SESSION]
    async with session.post(os.environ["UPSTREAM"], json=body) as reply:
        return web.json_response(await reply.json())


SESSION: web.AppKey[ClientSession] = web.AppKey("session", ClientSession)


async def main() -> None:
    """Serve until killed."""
    app = web.Application()
    app[SESSION] = ClientSession()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", PORT).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

"""The process of LiteLLM's proxy: `python -m gateway.proxy.launcher PORT`.

LiteLLM's own command (`litellm --config`) serves the same application by the same uvicorn. Before
that it runs Prisma's command line to compare schemas, which `migrate` has done, and fails at that
outside of its source folder (proxy_cli.py:1487 of 1.108.7); and while it imports, it lets the
garbage collector scan a million objects again and again.
"""

from __future__ import annotations

import gc
import sys

from gateway.proxy.backend import HOST

GRACE = 25
"""Seconds for open requests at the end; less than the supervisor's patience."""


def main() -> None:
    """Serve LiteLLM's proxy, as its environment describes it."""
    port = int(sys.argv[1])
    gc.disable()
    import uvicorn  # noqa: PLC0415 -- after the collector is off
    from litellm.proxy.proxy_server import app  # noqa: PLC0415 -- as above

    gc.freeze()  # what is imported stays, and need not be gone over
    gc.enable()
    uvicorn.run(
        app,
        host=HOST,
        port=port,
        log_level="warning",
        server_header=False,
        date_header=False,  # the gateway's server writes one
        timeout_graceful_shutdown=GRACE,
    )


if __name__ == "__main__":
    main()

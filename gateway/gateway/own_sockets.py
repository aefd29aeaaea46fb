"""Where to listen under a name that several gateways share: each at its own addresses."""

from __future__ import annotations

import asyncio
import errno
import socket


async def own_sockets(host: str, port: int) -> list[socket.socket]:
    """Return a bound socket for each address of a name that is this machine's.

    Raises:
        OSError: the port is taken.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    bound = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except OSError as error:
            listening.close()
            if error.errno != errno.EADDRNOTAVAIL:
                raise
        else:
            bound.append(listening)
    return bound

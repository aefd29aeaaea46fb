"""Sockets to listen on: of a name that several gateways share, and of a port that they share."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


async def own_sockets(host: str, port: int, *, is_shared: bool = False) -> list[socket.socket]:
    """Return a bound socket for each address of a name that is this machine's.

    Args:
        host: a name that may stand for several gateways.
        port: the port.
        is_shared: whether other processes of this gateway listen there, too.

    Raises:
        OSError: the port is taken.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    bound = []
    for each in dict.fromkeys(found):
        try:
            bound.append(_bound(each, is_shared=is_shared))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
    return bound


def shared_sockets(host: str, port: int) -> list[socket.socket]:
    """Return a bound socket for each address of a host, on a port that other processes share.

    Raises:
        OSError: the host is not this machine's, or the port is taken by another program.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return [_bound(each, is_shared=True) for each in dict.fromkeys(found)]


def _bound(found: tuple[Any, ...], *, is_shared: bool) -> socket.socket:
    family, kind, protocol, _, address = found
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:  # so that 0.0.0.0 can be bound beside ::
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    return listening

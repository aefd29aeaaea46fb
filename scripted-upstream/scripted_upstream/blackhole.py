"""A port that takes no connection and refuses none, like a host whose firewall drops packets."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def blackhole(host: str, port: int) -> Iterator[int]:
    """Yield the port, 0 having been a free one; whoever connects to it waits in vain.

    A listener that never accepts, with its queue of one filled: the kernel then drops what asks for
    a connection (listen(2), tcp_abort_on_overflow).

    Raises:
        OSError: the port is taken.
    """
    with socket.create_server((host, port), backlog=0) as listener, socket.socket() as filler:
        bound: int = listener.getsockname()[1]
        filler.connect(("127.0.0.1", bound))
        yield bound

"""The port that drops packets."""

import socket

import pytest

from scripted_upstream.blackhole import blackhole


def test_connecting_is_neither_taken_nor_refused() -> None:
    """A client that connects waits until its own timeout."""
    with blackhole("127.0.0.1", 0) as port, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", port), timeout=0.3)


def test_afterwards_the_port_is_free() -> None:
    """Nothing listens once it is closed."""
    with blackhole("127.0.0.1", 0) as port:
        pass

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)

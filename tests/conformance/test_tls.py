"""Encrypted connections to Postgres, through a TLS terminator that speaks its handshake."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.certificates import self_signed
from support.prisma_engine import Database, Prisma

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Give a file with a key and a certificate for 127.0.0.1 that is its own authority."""
    return self_signed(tmp_path)


def pump(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until either side ends, then ends both."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def terminate(raw: socket.socket, context: ssl.SSLContext, server: tuple[str, int]) -> None:
    """Answer the request for TLS, then carries what was encrypted to the server."""
    with raw, suppress(OSError):
        if raw.recv(len(SSL_REQUEST)) != SSL_REQUEST:
            return  # a client that speaks in the clear gets no answer
        raw.sendall(b"S")
        with (
            context.wrap_socket(raw, server_side=True) as inside,
            socket.create_connection(server) as outside,
        ):
            back = threading.Thread(target=pump, args=(outside, inside))
            back.start()
            pump(inside, outside)
            back.join()


@contextmanager
def tls_only(database: Database, certificate: Path) -> Iterator[str]:
    """Give a URL of the database that takes encrypted connections only."""
    parts = urlsplit(database.url)
    server = (parts.hostname or "localhost", parts.port or 5432)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    raw, _ = listener.accept()
                    threading.Thread(
                        target=terminate, args=(raw, context, server), daemon=True
                    ).start()

        threading.Thread(target=serve, daemon=True).start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        yield parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{address}").geturl()


def test_migrations_run_encrypted(
    own_migrations: Prisma, database: Database, certificate: Path
) -> None:
    """By default and with sslmode=require, migrations accept any certificate, as Prisma does."""
    own_migrations.add("20240101000000_first", "CREATE TABLE a (i int);")
    with tls_only(database, certificate) as url:
        for query in ("", "?sslmode=require", "?sslmode=prefer&sslaccept=accept_invalid_certs"):
            deployed = own_migrations(url + query, "migrate", "deploy")
            assert deployed.returncode == 0, deployed.stdout
        assert own_migrations(f"{url}?sslmode=disable", "migrate", "deploy").returncode == 1


def test_a_strict_client_wants_a_known_authority(
    own_migrations: Prisma, database: Database, certificate: Path
) -> None:
    """sslaccept=strict and verify-full refuse an unknown certificate (P1011), take a known one."""
    own_migrations.add("20240101000000_first", "CREATE TABLE a (i int);")
    with tls_only(database, certificate) as url:
        for strict in ("sslmode=require&sslaccept=strict", "sslmode=verify-full"):
            refused = own_migrations(f"{url}?{strict}", "migrate", "deploy")
            assert (refused.returncode, "P1011" in refused.stdout) == (1, True), refused.stdout
        for known in (
            f"sslmode=require&sslaccept=strict&sslcert={certificate}",
            f"sslmode=verify-full&sslrootcert={certificate}",
        ):
            deployed = own_migrations(f"{url}?{known}", "migrate", "deploy")
            assert deployed.returncode == 0, deployed.stdout


def test_a_server_without_tls_is_refused_when_tls_is_required(
    own_migrations: Prisma, database: Database
) -> None:
    """sslmode=require does not fall back to a connection in the clear."""
    if database.sql("SHOW ssl") == [("on",)]:
        pytest.skip("the server of TEST_DATABASE_URL speaks TLS")
    refused = own_migrations(f"{database.url}?sslmode=require", "migrate", "deploy")
    assert (refused.returncode, "P1011" in refused.stdout) == (1, True), refused.stdout

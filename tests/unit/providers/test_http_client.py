"""The client's wire: framing, connections that are kept, redirects, proxies, encryption."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.providers import connection as connection_module
from gateway.providers import http_client, response
from gateway.providers.http_client import HttpClient, read_error
from gateway.providers.reply import Timeouts
from gateway.providers.target import Target
from gateway.routing.failure import AttemptFailedError, FailureKind
from support.certificates import self_signed

PATIENT = Timeouts(connect=5, answer=10)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@dataclass
class Raw:
    """A server that answers the heads that it reads with the bytes given, one after the other.

    Attributes:
        answers: of requests; the connection is closed after one that is followed by None.
        heads: that came.
        connections: how many there were.
    """

    answers: list[bytes | None]
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while self.answers:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                self.asked.set()
                length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
                self.bodies.append(await reader.readexactly(int(length or 0)))
                writer.write(self.answers.pop(0) or b"")
                await writer.drain()
                if self.answers and self.answers[0] is None:
                    self.answers.pop(0)
                    break
            else:
                await reader.read(1)  # until the client leaves
        self.left.set()
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[Raw]:
        """Serve on a free port."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            server.close_clients()
            # Left to the garbage collector, a connection fails whichever test runs then.
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            if rest:
                await asyncio.wait(rest, timeout=5)
            await server.wait_closed()


def posting(
    *answers: bytes | None, times: int = 1, timeouts: Timeouts = PATIENT, **target: str
) -> tuple[list[tuple[int, bytes]], Raw]:
    """Return what a client makes of the answers of a server, and the server."""

    async def test() -> tuple[list[tuple[int, bytes]], Raw]:
        async with Raw(list(answers)).running() as server:
            client = HttpClient()
            url = f"http://{target.get('user', '')}127.0.0.1:{server.port}/v1/chat"
            at = Target(url + target.get("query", ""), {"Authorization": "Bearer k"})
            found = []
            try:
                for _ in range(times):
                    got, content = await client.fetch(at, b"body", {"X-Id": "1"}, timeouts)
                    found.append((got.status, content))
            finally:
                await client.close()
            return found, server

    return asyncio.run(test())


def failing(*answers: bytes | None, timeouts: Timeouts = PATIENT) -> FailureKind:
    """Return how a request fails."""
    with pytest.raises(AttemptFailedError) as raised:
        posting(*answers, timeouts=timeouts)
    return raised.value.failure.kind


def test_a_request_is_whole_and_right() -> None:
    """A request has its line, host, length, body, and the headers of target and request."""
    _, server = posting(OK, query="?a=b c")
    lines = server.heads[0].rstrip().split("\r\n")
    assert lines[0] == "POST /v1/chat?a=b%20c HTTP/1.1"
    assert sorted(lines[1:]) == [
        "Authorization: Bearer k",
        "Content-Length: 4",
        f"Host: 127.0.0.1:{server.port}",
        "X-Id: 1",
    ]
    assert server.bodies == [b"body"]


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\nh\r\n1;x=y\r\ni\r\n0\r\nT: 1\r\n\r\n"
        ),
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 22\r\n\r\n"
        + gzip.compress(b"hi", mtime=0),
    ],
    ids=["length", "chunks", "heads before it", "gzip"],
)
def test_an_answer_is_read_however_it_is_framed(answer: bytes) -> None:
    """An answer is read however it is framed, and its connection takes the next request."""
    found, server = posting(answer, answer, times=2)
    assert found == [(200, b"hi"), (200, b"hi")]
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
    ],
)
def test_an_answer_may_end_with_its_connection(answer: bytes) -> None:
    """After an answer that ends with its connection, the next request opens another."""
    found, server = posting(answer, None, answer, None, times=2)
    assert found == [(200, b"hi"), (200, b"hi")]
    assert server.connections == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", FailureKind.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", FailureKind.UNREACHABLE),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
            FailureKind.UNREACHABLE,
        ),
        (b"SSH-2.0-OpenSSH\r\n", FailureKind.FAILING),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\nx", FailureKind.FAILING),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",
            FailureKind.FAILING,
        ),
    ],
    ids=["nothing", "short", "chunk missing", "another protocol", "upgrade", "no gzip"],
)
def test_an_answer_that_is_none_is_a_failure(answer: bytes, kind: FailureKind) -> None:
    """An answer cut short is unreachable, and one that is not valid HTTP is failing."""
    assert failing(answer, None) is kind


def test_headers_without_an_end_are_not_collected_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Response headers over the limit are a failure, so they cannot fill the memory."""
    monkeypatch.setattr(connection_module, "MAX_HEAD", 1000)
    assert failing(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000) is FailureKind.FAILING


async def test_silence_ends_a_request() -> None:
    """An answer that stops coming is unresponsive, and its connection is dropped."""
    async with Raw([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"]).running() as server:
        client = HttpClient()
        at = Target(f"http://127.0.0.1:{server.port}/", {})
        with pytest.raises(AttemptFailedError) as raised:
            await client.fetch(at, b"", {}, Timeouts(5, 0.1))
        assert raised.value.failure.kind is FailureKind.UNRESPONSIVE
        await asyncio.wait_for(server.left.wait(), 5)


async def test_a_caller_that_leaves_drops_the_connection() -> None:
    """Cancelling a request drops its connection, so that no other request gets its answer."""
    async with Raw([b""]).running() as server:
        client = HttpClient()
        at = Target(f"http://127.0.0.1:{server.port}/", {})
        task = asyncio.ensure_future(client.fetch(at, b"", {}, PATIENT))
        await asyncio.wait_for(server.asked.wait(), 5)
        task.cancel()
        await asyncio.wait_for(server.left.wait(), 5)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_idle_connection_is_dropped_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client drops a connection that has been idle for too long."""
    monkeypatch.setattr(http_client, "KEEP_ALIVE", 0.02)

    async with Raw([OK]).running() as server:
        client = HttpClient()
        await client.fetch(Target(f"http://127.0.0.1:{server.port}/", {}), b"", {}, PATIENT)
        await asyncio.wait_for(server.left.wait(), 5)
        await client.close()


def test_what_comes_unasked_is_no_answer() -> None:
    """Bytes behind an answer are not taken for the next one."""
    found, server = posting(OK + OK, None, OK, times=2)
    assert found == [(200, b"hi"), (200, b"hi")]
    assert server.connections == 2


async def test_a_server_is_asked_to_wait_for_a_slow_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large answer that is read slowly is not collected in memory."""
    monkeypatch.setattr(response, "MAX_BUFFERED", 1000)
    size = 20_000_000
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)

    async with Raw([answer, OK]).running() as server:
        client = HttpClient()
        at = Target(f"http://127.0.0.1:{server.port}/", {})
        got = await client.open(at, b"", {}, PATIENT)
        for _ in range(20):
            await asyncio.sleep(0)
        assert got._size < 2_000_000
        read = 0
        while part := await got.readany():
            read += len(part)
        assert read == size
        assert got.at_eof
        _, content = await client.fetch(at, b"", {}, PATIENT)
        assert (content, server.connections) == (b"hi", 1)
        await client.close()


async def test_a_large_request_arrives_whole() -> None:
    """A request of five megabytes arrives whole."""
    async with Raw([OK]).running() as server:
        client = HttpClient()
        body = bytes(range(256)) * 20_000
        await client.fetch(Target(f"http://127.0.0.1:{server.port}/", {}), body, {}, PATIENT)
        assert server.bodies == [body]
        await client.close()


def test_an_errors_start_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long error is not read to its end, and one that stops coming is not waited for."""
    monkeypatch.setattr(http_client, "ERROR_LIMIT", 1000)
    monkeypatch.setattr(http_client, "ERROR_SECONDS", 0.05)
    long = b"HTTP/1.1 500 -\r\nContent-Length: 9000000\r\n\r\n" + bytes(1_000_000)
    short = b"HTTP/1.1 500 -\r\nContent-Length: 9\r\n\r\nhi"

    async def test(answer: bytes) -> int:
        async with Raw([answer]).running() as server:
            client = HttpClient()
            at = Target(f"http://127.0.0.1:{server.port}/", {})
            got = await client.open(at, b"", {}, PATIENT)
            content = await read_error(got)
            await asyncio.wait_for(server.left.wait(), 5)
            return len(content)

    assert 1000 < asyncio.run(test(long)) < 9_000_000
    assert asyncio.run(test(short)) == 0


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_method_is_followed(status: int) -> None:
    """A 307 or 308 to the same host is followed with the method, body and key."""
    moved = b"HTTP/1.1 %d -\r\nLocation: /v2/chat\r\nContent-Length: 0\r\n\r\n" % status
    found, server = posting(moved, OK)
    assert found == [(200, b"hi")]
    assert server.heads[1].startswith("POST /v2/chat HTTP/1.1\r\n")
    assert "Authorization: Bearer k" in server.heads[1]
    assert server.bodies == [b"body", b"body"]


def test_a_key_does_not_follow_a_redirect_to_another_host() -> None:
    """A key does not follow a redirect to another host, or to one without encryption."""
    at = Target("https://a.example/v1", {"Authorization": "Bearer k", "Content-Type": "x"})
    assert b"Bearer" not in at.moved_to("https://b.example/v1").head({}, 0)
    assert b"Bearer" not in at.moved_to("http://a.example/v1").head({}, 0)
    assert b"Bearer" in at.moved_to("/v2").head({}, 0)
    assert b"Content-Type: x" in at.moved_to("https://b.example/v1").head({}, 0)


@pytest.mark.parametrize(
    "location", ["", "ftp://x/", "http://", "http://x:999999/", "/again"], ids=str
)
def test_redirects_lead_nowhere_for_ever(location: str) -> None:
    """A redirect that leads nowhere or in a circle is itself the answer."""
    moved = b"HTTP/1.1 307 -\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % location.encode()
    found, _ = posting(*[moved] * 9)
    assert found[0][0] == 307


def test_a_password_in_a_url_is_sent_as_basic_auth() -> None:
    """A password in a URL is sent as basic auth, unless the target has a key."""
    head = Target("http://u:p%40@h/v1", {}).head({}, 0).decode()
    assert "Authorization: Basic dTpwQA==\r\n" in head
    assert "Host: h\r\n" in head
    assert "Basic" not in Target("http://u:p@h/", {"authorization": "k"}).head({}, 0).decode()


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0"])
def test_a_header_cannot_make_another(value: str) -> None:
    """A header's value that holds a line break or a zero byte is refused."""
    with pytest.raises(ValueError, match="line break"):
        Target("http://h/", {"X": value}).head({}, 0)


def test_a_header_of_the_request_takes_the_targets_place() -> None:
    """A request's header replaces the target's of that name, whatever the case."""
    head = Target("http://h/", {"Accept": "a", "X": "y"}).head({"accept": "b"}, 0).decode()
    assert "accept: b" in head
    assert "Accept: a" not in head


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: int) -> None:
    """Carry bytes between a client and a port."""
    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", to)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
        sink.close()

    await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))


def test_encryption_is_checked_and_works(tmp_path: Path) -> None:
    """A server with an unknown certificate is unreachable; with a trusted one it answers."""
    certificate = self_signed(tmp_path)
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(certificate)

    async def test(client: HttpClient) -> bytes:
        async with Raw([OK]).running(server_tls) as server:
            at = Target(f"https://127.0.0.1:{server.port}/", {})
            try:
                return (await client.fetch(at, b"", {}, PATIENT))[1]
            finally:
                await client.close()

    trusting = ssl.create_default_context(cafile=str(certificate))
    assert asyncio.run(test(HttpClient(trusting))) == b"hi"
    with pytest.raises(AttemptFailedError) as raised:
        asyncio.run(test(HttpClient()))
    assert raised.value.failure.kind is FailureKind.UNREACHABLE


def proxied(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter, str, int], Awaitable[None]],
    scheme: str,
    tmp_path: Path,
) -> tuple[bytes, list[str], list[str]]:
    """Return an answer through a proxy, the heads that the proxy read, and those of the server."""
    certificate = self_signed(tmp_path)
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(certificate)
    heads: list[str] = []

    async def test() -> tuple[bytes, list[str], list[str]]:
        async with Raw([OK, OK]).running(server_tls if scheme == "https" else None) as server:

            async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                heads.append(head)
                await handle(reader, writer, head, server.port)

            proxy = await asyncio.start_server(accept, "127.0.0.1", 0)
            port = proxy.sockets[0].getsockname()[1]
            at = Target(
                f"{scheme}://127.0.0.1:{server.port}/v1", {}, f"http://me:pw@127.0.0.1:{port}"
            )
            client = HttpClient(ssl.create_default_context(cafile=str(certificate)))
            try:
                await client.fetch(at, b"", {}, PATIENT)
                return (await client.fetch(at, b"", {}, PATIENT))[1], heads, server.heads
            finally:
                await client.close()
                proxy.close()
                proxy.close_clients()

    return asyncio.run(test())


def test_a_proxy_opens_a_tunnel_for_what_is_encrypted(tmp_path: Path) -> None:
    """A proxy opens one tunnel for several encrypted requests, and alone gets its password."""

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: str, port: int
    ) -> None:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await tunnel(reader, writer, port)

    content, heads, inside = proxied(handle, "https", tmp_path)
    assert content == b"hi"
    assert len(heads) == 1
    assert heads[0].startswith("CONNECT 127.0.0.1:")
    assert "Proxy-Authorization: Basic bWU6cHc=" in heads[0]
    assert len(inside) == 2
    assert "Proxy-Authorization" not in inside[0]


def test_a_proxy_that_refuses_is_a_failure(tmp_path: Path) -> None:
    """A provider behind a proxy that refuses is unreachable."""

    async def handle(
        _: asyncio.StreamReader, writer: asyncio.StreamWriter, __: str, ___: int
    ) -> None:
        writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    with pytest.raises(AttemptFailedError) as raised:
        proxied(handle, "https", tmp_path)
    assert raised.value.failure.kind is FailureKind.UNREACHABLE


def test_a_proxy_is_told_the_whole_url_of_what_is_not_encrypted(tmp_path: Path) -> None:
    """A request that is not encrypted gives a proxy its whole URL, as RFC 9112 has it."""

    async def handle(
        _: asyncio.StreamReader, writer: asyncio.StreamWriter, __: str, ___: int
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
        writer.close()

    content, heads, _ = proxied(handle, "http", tmp_path)
    assert content == b"hi"
    assert heads[0].startswith("POST http://127.0.0.1:")
    assert "Proxy-Authorization: Basic bWU6cHc=" in heads[0]


def test_a_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY and NO_PROXY decide whether a target has a proxy."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    proxy = Target.at("https://outside.example/v1", {}).proxy
    assert proxy is not None
    assert (proxy.hostname, proxy.port) == ("proxy", 3128)
    assert Target.at("https://inside.example/v1", {}).proxy is None
    assert Target.at("http://outside.example/v1", {}).proxy is None

"""Where a deployment is asked, and the head of every request to it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    from collections.abc import Mapping

USER_AGENT = "litellm-proxy-service"
PORTS = {"http": 80, "https": 443}
PATH_CHARACTERS = "/%:@!$&'()*+,;=~-._?"
"""What stays in a path and a query as it is: https://www.rfc-editor.org/rfc/rfc3986#section-3.3."""

_FORBIDDEN = frozenset("\r\n\0")


class Target:
    """An endpoint.

    Args:
        url: of the endpoint.
        headers: of every request.
        proxy: through which it is reached; None for directly.
        method: of every request.

    Attributes:
        url: in parts.
        host: name or address.
        port: of the host.
        is_secure: whether it is https.
        proxy: in parts; None for directly.
        key: what two targets have in common that can share a connection.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        proxy: str | None = None,
        method: str = "POST",
    ) -> None:
        self.url = urlsplit(url)
        self.is_secure = self.url.scheme == "https"
        self.host = self.url.hostname or ""
        if self.url.scheme not in PORTS or not self.host:
            raise ValueError(f"{url} is not a URL of http or https")
        self.port = self.url.port or PORTS[self.url.scheme]
        self.proxy = urlsplit(proxy) if proxy else None
        self.key = (self.is_secure, self.host, self.port, proxy)
        self._method = method
        self._headers = dict(headers)
        self._heads: dict[tuple[str, ...], str] = {}

    @classmethod
    def at(cls, url: str, headers: Mapping[str, str]) -> Target:
        """Return a target, behind the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name.

        They are read here, once a deployment.
        """
        given = {"User-Agent": USER_AGENT, "Accept": "application/json", **headers}
        target = cls(url, given)
        proxy = getproxies().get(target.url.scheme)
        if not proxy or proxy_bypass(f"{target.host}:{target.port}"):
            return target
        return cls(url, given, proxy)

    def head(self, more: Mapping[str, str], length: int) -> bytes:
        """Return the request line and all headers.

        Args:
            more: headers of this request, in the place of the target's own by that name; they are
                the gateway's, and have no line breaks.
            length: of the body.
        """
        names = tuple(more)
        head = self._heads.get(names)
        if head is None:
            head = self._heads[names] = self._head_without(names)
        lines = "".join([f"{name}: {value}\r\n" for name, value in more.items()])
        return f"{head}{lines}Content-Length: {length}\r\n\r\n".encode()

    def moved_to(self, location: str) -> Target:
        """Return where a server says the endpoint is now; keys go only to their own host."""
        url = urljoin(self.url.geturl(), location)
        parsed = urlsplit(url)
        same = (parsed.scheme, parsed.netloc) == (self.url.scheme, self.url.netloc)
        kept = {
            name: value
            for name, value in self._headers.items()
            if same or name.lower() in {"user-agent", "accept", "content-type"}
        }
        return Target.at(url, kept)

    def _head_without(self, names: tuple[str, ...]) -> str:
        replaced = {name.lower() for name in names}
        path = quote(self.url.path or "/", PATH_CHARACTERS)
        if self.url.query:
            path = f"{path}?{quote(self.url.query, PATH_CHARACTERS)}"
        headers = {"Host": self._authority, **self._headers}
        if self.proxy is not None and not self.is_secure:
            path = f"{self.url.scheme}://{self._authority}{path}"
            headers.update(proxy_headers(self.proxy))
        if self.url.username is not None and not any(n.lower() == "authorization" for n in headers):
            headers["Authorization"] = _basic(self.url)
        lines = [f"{self._method} {path} HTTP/1.1"]
        for name, value in headers.items():
            if name.lower() in replaced:
                continue
            if not _FORBIDDEN.isdisjoint(name) or not _FORBIDDEN.isdisjoint(value):
                raise ValueError(f"the header {name!r} holds a line break")
            lines.append(f"{name}: {value}")
        return "\r\n".join([*lines, ""])

    @property
    def _authority(self) -> str:
        host = self.host if self.host.isascii() else self.host.encode("idna").decode()
        host = f"[{host}]" if ":" in host else host
        return host if self.port == PORTS[self.url.scheme] else f"{host}:{self.port}"

    def tunnel(self) -> bytes:
        """Return the head by which a proxy opens a tunnel to it (RFC 9110, section 9.3.6)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [f"CONNECT {host}:{self.port} HTTP/1.1", f"Host: {host}:{self.port}"]
        if self.proxy is not None:
            lines += [f"{name}: {value}" for name, value in proxy_headers(self.proxy).items()]
        return "\r\n".join([*lines, "", ""]).encode()


def proxy_headers(proxy: SplitResult) -> dict[str, str]:
    """Return what tells a proxy who asks, if its URL does."""
    return {} if proxy.username is None else {"Proxy-Authorization": _basic(proxy)}


def _basic(url: SplitResult) -> str:
    pair = f"{unquote(url.username or '')}:{unquote(url.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"

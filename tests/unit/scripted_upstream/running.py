"""A scripted upstream on a port of its own, and what a test asks it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx

from scripted_upstream.control import create_app
from scripted_upstream.journal import Journal
from scripted_upstream.load import read
from scripted_upstream.server import config
from scripted_upstream.upstream import Upstream
from support.threaded_server import ThreadedServer

Json = dict[str, Any]
TEXT = "Der Hund schläft im Garten, weil er müde ist."
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "article": {"type": "string", "enum": ["der", "die", "das"]},
                    "word": {"type": "string", "minLength": 1, "maxLength": 80},
                },
                "required": ["article", "word"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["items"],
    "additionalProperties": False,
}
FITTING: Json = {"items": [{"article": "der", "word": "Beispiel"}]}
PARAMETERS: Json = {
    "type": "object",
    "properties": {"word": {"type": "string"}, "times": {"type": "integer"}},
    "required": ["word", "times"],
}
ARGUMENTS: Json = {"word": "Beispiel", "times": 1}


@dataclass
class Running:
    """A running upstream.

    Attributes:
        url: its address.
        http: a client of it.
    """

    url: str
    http: httpx.Client
    _server: ThreadedServer

    @classmethod
    def start(cls, script: str = "", journal: Journal | None = None) -> Running:
        """Serve a script on a free port."""
        upstream = Upstream(journal=journal or Journal())
        server = ThreadedServer(config(create_app(read(script), upstream), "127.0.0.1", 0))
        return cls(server.url, server.client(timeout=10), server)

    def stop(self) -> None:
        """End it."""
        self.http.close()
        self._server.stop()

    def script(self, text: str) -> None:
        """Put a script there."""
        answer = self.http.put("/_control/script", content=text.encode())
        assert answer.status_code == 200, answer.text

    def chat(
        self,
        body: Json | None = None,
        *,
        path: str = "/v1/chat/completions",
        key: str = "",
        **more: object,
    ) -> httpx.Response:
        """Ask OpenAI's way; return the response."""
        message = {"role": "user", "content": "Was heißt schlafen?"}
        headers = {"authorization": f"Bearer {key}"} if key else {}
        document = {"model": "gpt-4o-mini", "messages": [message], **(body or {}), **more}
        return self.http.post(path, json=document, headers=headers)

    def statuses(self, count: int) -> list[int]:
        """Ask so often; return the statuses."""
        return [self.chat().status_code for _ in range(count)]

    def journal(self, query: str = "") -> list[Json]:
        """Return the journal's entries."""
        entries: list[Json] = self.http.get(f"/_control/journal?{query}").json()["requests"]
        return entries

    def last(self) -> Json:
        """Return the latest entry."""
        return self.journal()[-1]

    def ledger(self) -> Json:
        """Return the sums."""
        sums: Json = self.http.get("/_control/ledger").json()
        return sums


def stream(upstream: Running) -> tuple[list[Json], httpx.TransportError | None]:
    """Ask for a stream; return the chunks that came, and how the connection failed."""
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
    lines: list[str] = []
    try:
        with upstream.http.stream("POST", "/v1/chat/completions", json=body) as answer:
            lines.extend(answer.iter_lines())
    except httpx.TransportError as error:
        return _chunks(lines), error
    return _chunks(lines), None


def _chunks(lines: list[str]) -> list[Json]:
    found = [each.removeprefix("data: ") for each in lines if each]
    return [json.loads(each) for each in found if each != "[DONE]"]


def text_of(chunks: list[Json]) -> str:
    """Return the text that chunks bring."""
    return "".join(
        choice["delta"].get("content") or "" for each in chunks for choice in each["choices"]
    )

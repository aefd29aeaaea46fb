"""Asks a side, and gathers what comes back into one value, streamed or not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import requests

from support.same_answers.cases import Case
from support.same_answers.running import KEY

Json = dict[str, Any]
SECONDS = 60


@dataclass
class Outcome:
    """What a caller saw.

    Attributes:
        status: HTTP's.
        document: the answer or the error; of a stream, what its chunks add up to.
        broke: the error that a stream ended with, or how its connection ended; None for neither.
        is_done: whether a stream ended with [DONE].
        headers: of the response.
        rows: what was written into the books.
        asked: what reached the provider.
    """

    status: int
    document: Any
    broke: Any = None
    is_done: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    rows: list[Json] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether it is a whole answer."""
        return self.status == requests.codes.ok and self.broke is None


def ask(session: requests.Session, url: str, case: Case, alias: str, call: str) -> Outcome:
    """Ask a side and return what came back."""
    response = session.post(
        f"{url}/v1/{case.path}",
        json={"model": alias, **case.body},
        headers={"Authorization": f"Bearer {KEY}", "x-litellm-call-id": call},
        stream=True,
        timeout=SECONDS,
    )
    headers = {name.lower(): value for name, value in response.headers.items()}
    if "event-stream" not in headers.get("content-type", ""):
        text = response.content
        try:
            document = json.loads(text)
        except ValueError:
            document = text.decode(errors="replace")
        return Outcome(response.status_code, document, headers=headers)
    gathered = Gathered()
    broke: Any = None
    is_done = False
    try:
        for line in response.iter_lines():
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                is_done = True
            else:
                chunk = json.loads(data)
                if "error" in chunk:
                    broke = chunk["error"]
                else:
                    gathered.add(chunk)
    except requests.RequestException as error:
        broke = type(error).__name__
    return Outcome(response.status_code, gathered.document(), broke, is_done, headers)


@dataclass
class Gathered:
    """A stream's chunks, put together.

    Attributes:
        head: what all chunks have in common.
        choices: by index.
        usage: of the last chunk that has one.
    """

    head: Json = field(default_factory=dict)
    choices: dict[int, Json] = field(default_factory=dict)
    usage: Json | None = None

    def add(self, chunk: Json) -> None:
        """Take in a chunk."""
        for name in ("id", "object", "model"):
            self.head.setdefault(name, chunk.get(name))
        if chunk.get("usage"):
            self.usage = chunk["usage"]
        for each in chunk.get("choices") or ():
            choice = self.choices.setdefault(each["index"], {"message": {}})
            if each.get("finish_reason"):
                choice["finish_reason"] = each["finish_reason"]
            if each.get("logprobs"):
                for name, found in each["logprobs"].items():
                    if isinstance(found, list):
                        choice.setdefault("logprobs", {}).setdefault(name, []).extend(found)
            if "text" in each:
                choice["text"] = choice.get("text", "") + (each["text"] or "")
            self._add_delta(choice["message"], each.get("delta") or {})

    def _add_delta(self, message: Json, delta: Json) -> None:
        for name, value in delta.items():
            if name == "tool_calls":
                self._add_calls(message.setdefault("tool_calls", []), value or ())
            elif isinstance(value, str) and name != "role":
                message[name] = message.get(name, "") + value
            elif value is not None:
                message[name] = value

    @staticmethod
    def _add_calls(calls: list[Json], fragments: Iterable[Json]) -> None:
        for fragment in fragments:
            place = fragment["index"]
            while len(calls) <= place:
                calls.append({"function": {"name": "", "arguments": ""}})
            call = calls[place]
            for name in ("id", "type"):
                if fragment.get(name):
                    call[name] = fragment[name]
            for name, text in (fragment.get("function") or {}).items():
                call["function"][name] = call["function"].get(name, "") + (text or "")

    def document(self) -> Json:
        """Return the whole."""
        usage = {} if self.usage is None else {"usage": self.usage}
        choices = [{"index": place, **found} for place, found in sorted(self.choices.items())]
        return {**self.head, "choices": choices, **usage}

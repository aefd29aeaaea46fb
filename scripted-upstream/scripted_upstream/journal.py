"""What was asked and answered: a journal of bounded size, and sums that outlive it.

The sums are this side's own count of tokens, whatever the answers reported: what a provider would
bill. An answer that was cut is counted as far as it was sent.
"""

from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal

from scripted_upstream.exchange import Usage

Ended = Literal["open", "complete", "closed", "reset", "cut", "client_left", "crashed"]
_OVERHEAD = 1000


@dataclass
class Entry:
    """One request and its answer.

    Attributes:
        number: from 1; goes on over a reset.
        time: ISO 8601, UTC.
        upstream: the virtual upstream, "" for none.
        path: as it was asked, with the prefix of the virtual upstream.
        key: the API key.
        headers: whole, keys included: all of them are made up.
        body: parsed, or the text of what is not JSON.
        rule: the rule that held.
        status: of the answer; None if none was sent.
        answer: the text, the arguments of a tool call, or the error's body.
        pieces: of the answer that were sent.
        usage: the tokens that it cost.
        ended: how; `open` while it lasts.
        first_byte_seconds: until the answer began.
        seconds: until it ended.
    """

    number: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    size: int = 0
    provider: str = ""
    upstream: str = ""
    key: str = ""
    model: str = ""
    stream: bool = False
    body: Any = None
    rule: str | None = None
    status: int | None = None
    answer: Any = None
    pieces: int = 0
    usage: Usage = field(default_factory=Usage)
    ended: Ended = "open"
    first_byte_seconds: float | None = None
    seconds: float | None = None
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    started: float = field(default_factory=monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since it came in."""
        return round(monotonic() - self.started, 4)

    def document(self) -> dict[str, Any]:
        """Return it for a JSON answer."""
        fields = asdict(self)
        del fields["started"], fields["size"]
        return fields | {"client_left": self.ended == "client_left"}


@dataclass
class Row:
    """Sums over the requests of one model with one key."""

    requests: int = 0
    answered: int = 0
    refused: int = 0
    broken: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0


@dataclass
class Journal:
    """The latest entries and the sums of all.

    Attributes:
        keep: entries, at most.
        keep_bytes: of their bodies, roughly.
    """

    keep: int = 1000
    keep_bytes: int = 16 * 1024 * 1024
    entries: deque[Entry] = field(default_factory=deque)
    dropped: int = 0
    _bytes: int = 0
    _sums: dict[tuple[str, str, str, str], Row] = field(default_factory=dict)

    def open(self, entry: Entry) -> None:
        """Note a request, and forget the oldest ones if there are too many."""
        self.entries.append(entry)
        self._bytes += entry.size + _OVERHEAD
        while len(self.entries) > self.keep or (
            self._bytes > self.keep_bytes and len(self.entries) > 1
        ):
            self._bytes -= self.entries.popleft().size + _OVERHEAD
            self.dropped += 1

    def add(self, entry: Entry) -> None:
        """Add a request that has ended, and that was for a model, to the sums."""
        place = (entry.provider, entry.upstream, entry.model, entry.key)
        row = self._sums.setdefault(place, Row())
        row.requests += 1
        refused = entry.status is not None and entry.status >= 400  # noqa: PLR2004 -- HTTP
        row.refused += refused
        row.answered += entry.ended == "complete" and not refused
        row.broken += entry.ended != "complete"
        row.input += entry.usage.input
        row.output += entry.usage.output
        row.cached += entry.usage.cached
        row.reasoning += entry.usage.reasoning

    def reset(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self._sums.clear()
        self._bytes = self.dropped = 0

    def find(self, filters: dict[str, str], *, since: int = 0, limit: int = 0) -> list[Entry]:
        """Return entries in their order.

        Args:
            filters: field → value, compared as text.
            since: only those with a greater number.
            limit: how many of the latest; 0 is all.
        """
        found = [
            each
            for each in self.entries
            if each.number > since
            and all(_text(getattr(each, name)) == value for name, value in filters.items())
        ]
        return found[-limit:] if limit else found

    def ledger(self) -> dict[str, Any]:
        """Return the sums per provider, upstream, model and key, and over all."""
        total = Row()
        rows = []
        for (provider, upstream, model, key), row in sorted(self._sums.items()):
            sums = asdict(row)
            for name, value in sums.items():
                setattr(total, name, getattr(total, name) + value)
            place = {"provider": provider, "upstream": upstream, "model": model, "key": key}
            rows.append(place | sums)
        return {"rows": rows, "total": asdict(total)}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)

"""A note: what an answer costs and who pays, written down before LiteLLM has accounted for it.

LiteLLM's accounting takes milliseconds and ends with a record. An answer waits for its note only.
The record then completes the note, whose id it carries. A note that no record completed, because
the gateway was killed in between or the accounting failed, becomes a record by itself.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gateway.journal.record import Record, as_line, decode

if TYPE_CHECKING:
    from typing import TypeAlias

_NOTE = "note"
_GIVEN_UP = "given_up"


@dataclass(frozen=True)
class Note:
    """One answer's note.

    Attributes:
        request_id: of the row that the answer will have.
        call: of LiteLLM's details of the call those that a row is made from.
        response: the id and usage of the answer.
        started: when the call began, ISO 8601.
        ended: when it ended.
        cost: US dollars.
        facts: what the gateway adds to the row's metadata.
        id: of the record to come.
    """

    request_id: str
    call: dict[str, Any]
    response: dict[str, Any]
    started: str
    ended: str
    cost: float
    facts: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def encoded(self) -> bytes:
        """Returns it as one line of JSON."""
        return as_line({_NOTE: vars(self)})


@dataclass(frozen=True)
class GivenUp:
    """No record will complete a note.

    Attributes:
        id: of the note.
    """

    id: str

    def encoded(self) -> bytes:
        """Returns it as one line of JSON."""
        return as_line({_GIVEN_UP: self.id})


if TYPE_CHECKING:
    Entry: TypeAlias = Record | Note | GivenUp


def read_entry(body: bytes) -> Entry:
    """Returns what a line holds.

    Raises:
        ValueError, TypeError, KeyError: it is none of these.
    """
    fields = json.loads(body)
    if _NOTE in fields:
        return Note(**fields[_NOTE])
    if _GIVEN_UP in fields:
        return GivenUp(fields[_GIVEN_UP])
    return decode(fields)


def completing(note: Note, record: Record) -> Record:
    """Returns the record with what makes it and its note one row, whichever is applied."""
    return replace(record, id=note.id, row={**record.row, "request_id": note.request_id})

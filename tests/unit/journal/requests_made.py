"""Requests as the other rooms hand them on, and journals as gateways leave them behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway.access.caller import Caller
from gateway.config.deployment import Deployment, Protocol
from gateway.journal.file_journal import Journal
from gateway.journal.reader import JournalReader
from gateway.journal.record import Record
from gateway.request import Attempt, Bill, Client, Controls, Operation, Request, Usage
from gateway.routing.failure import Failure, FailureKind

MEGABYTE = 1 << 20
START = 1_795_810_945.25

DEPLOYMENT = Deployment(
    "m1",
    "alias",
    "openai",
    "gpt-4o-mini",
    Protocol.OPENAI,
    base="https://api.openai.com/v1",
    price={"input_cost_per_token": 1e-6, "cache_read_input_token_cost": 4e-7},
)
SPARE = Deployment("m2", "spare", "ollama_chat", "llama3.2", Protocol.OLLAMA)
CALLER = Caller(
    key_hash="a" * 64, key_name="key-1", team_id="team-1", team_alias="Team", user_id="user-1"
)
USAGE = Usage(10, 5, cached=4, raw={"prompt_tokens_details": {"cached_tokens": 4}})
BROKEN = Failure(FailureKind.UNREACHABLE)


def request(*attempts: Attempt, **more: Any) -> Request:
    """Return a request with these attempts."""
    fields: dict[str, Any] = {"caller": CALLER, "client": Client("192.0.2.1", "curl/8"), **more}
    made = Request("call-1", Operation.CHAT, "alias", {}, 100, **fields)
    made.attempts.extend(attempts)
    return made


def attempt(
    number: int = 1,
    *,
    cost: float | None = 0.25,
    usage: Usage = USAGE,
    deployment: Deployment = DEPLOYMENT,
    **more: Any,
) -> Attempt:
    """Return an attempt that took half a second; without a cost it has no bill."""
    bill = None if cost is None else Bill(usage, cost)
    fields: dict[str, Any] = {"response_id": f"chatcmpl-{number}", "bill": bill, **more}
    return Attempt(deployment, number, started=100.0, started_at=START, ended=100.5, **fields)


def controls(**fields: Any) -> Controls:
    """Return what a request asks of the gateway."""
    return Controls(**fields)


def record(number: int, size: int = 0) -> Record:
    """Return a record with a number, and a text of some bytes."""
    row = {"request_id": f"{number}", "startTime": "2026-01-02T03:04:05Z", "response": "x" * size}
    return Record(row, id=f"{number}")


def append(journal: Journal, records: Sequence[Record]) -> None:
    """Append records, and return when they are durable."""

    async def write() -> None:
        durable = [journal.append(each.encoded(), wake=True)[1] for each in records]
        for done in durable:
            await done

    asyncio.run(write())


def written(folder: Path, records: Sequence[Record], limit: int = 4 * MEGABYTE) -> Journal:
    """Append records as a gateway that then dies, and return its journal."""
    journal = Journal(folder, limit)
    append(journal, records)
    return journal


def read(reader: JournalReader) -> list[str]:
    """Read to the end, take note of it, and return the records' ids."""
    return [each.id for each in read_records(reader)]


def read_records(reader: JournalReader) -> list[Record]:
    """Read to the end, and take note of it."""
    found: list[Record] = []
    while (batch := reader.next_batch()) is not None:
        found.extend(batch.records)
        reader.done(batch)
    return found

"""A gateway that does nothing but write costs, to be killed: `spend_writer.py FOLDER URL KEY`.

It prints the id of each cost as soon as that is durable, which is when an answer would leave.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

from gateway.access.caller import Caller
from gateway.config.deployment import Deployment, Protocol
from gateway.journal import spend_journal
from gateway.journal.make_records import records_of
from gateway.journal.spend_journal import SpendJournal
from gateway.request import Attempt, Bill, Operation, Request, Usage

COST = 2.0**-10
REPEATED = 7
"""So many ids has the provider, which repeats them."""

DEPLOYMENT = Deployment("m1", "alias", "openai", "gpt-4o-mini", Protocol.OPENAI)


def request(key: str, number: int) -> Request:
    """Return a request that was answered."""
    call = os.urandom(8).hex()
    caller = Caller(key_hash=key, user_id=f"{key}-user", team_id=f"{key}-team")
    made = Request(call, Operation.CHAT, "alias", {}, 10, caller)
    attempt = Attempt(DEPLOYMENT, 1, bill=Bill(Usage(1, 2), COST), tool_names=("f",))
    attempt.response_id = f"{key}-{number % REPEATED}" if number % 2 else call
    made.attempts.append(attempt)
    return made


async def write(folder: Path, url: str, key: str, *, has_rows: bool) -> None:
    """Write costs until killed."""
    spend_journal.CATCH_UP_SECONDS = 0.5
    spend_journal.LINGER_SECONDS = 0.01
    journal = SpendJournal(folder, 64, url, sync=False)
    await journal.start()
    journal.begin_to_apply()
    while journal._applier.pid is None:  # noqa: ASYNC110 -- another process has no event to set
        await asyncio.sleep(0.01)
    print(journal._applier.pid, flush=True)  # noqa: T201 -- a program, whose applier is killed
    number = 0
    while True:
        number += 1
        made = request(key, number)
        for record in records_of(made, has_rows=has_rows):
            _, durable = journal.append(record)
            journal.flush()
            await durable
        print(made.id, flush=True)  # noqa: T201 -- a program
        await asyncio.sleep(random.expovariate(300))


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), sys.argv[2], sys.argv[3], has_rows=sys.argv[4] == "rows"))

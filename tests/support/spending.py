"""A gateway under load, and what it wrote down of it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from support.scripted import FREE, PRICED
from support.stack import Stack
from support.wait import until

WORKERS = 4
ANSWER_SECONDS = 30
"""LiteLLM's proxy takes 12 s of a core to start, and other stacks are busy at the same time."""

PAUSE_SECONDS = 0.1
"""Between two attempts of a worker while nothing answers."""


@dataclass(frozen=True)
class Payer:
    """A key with a team and a user, all three charged for each request."""

    secret: str
    token: str
    team: str
    user: str


def make_payer(stack: Stack, name: str) -> Payer:
    """Return a new key of a new user in a new team."""

    def post(path: str, **body: Any) -> dict[str, Any]:
        return stack.administer("POST", path, json=body)

    team = post("/team/new", team_alias=name)["team_id"]
    user = post("/user/new", user_id=f"user-{name}", auto_create_key=False)["user_id"]
    post("/team/member_add", team_id=team, member={"role": "user", "user_id": user})
    key = post("/key/generate", team_id=team, user_id=user, key_alias=f"key-{name}")
    return Payer(key["key"], key["token"], team, user)


@dataclass
class Load:
    """Requests from several clients at once, plain and streamed, to each model.

    Attributes:
        pause: seconds that each waits after an answer.
        models: what is asked, by turns.
        by_litellm: whether the first client asks on a path of LiteLLM's proxy, and no other.
        answered: the id of each call whose answer was received to its last byte.
        answered_by_litellm: those of them that came by LiteLLM's proxy.
        refused: how many were not.
    """

    stack: Stack
    payer: Payer
    pause: float = 0
    models: Sequence[str] = (FREE, PRICED)
    by_litellm: bool = False
    refused: int = 0
    answered: list[str] = field(default_factory=list)
    answered_by_litellm: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def work(self, number: int) -> None:
        """Ask until told to stop."""
        by_litellm = self.by_litellm and number == 0
        with requests.Session() as session:
            turn = number
            while not self.stopping.is_set():
                turn += 1
                model = self.models[turn // 2 % len(self.models)]
                stream = turn % 2 == 0 and not by_litellm
                call = self._ask(session, stream=stream, model=model, by_litellm=by_litellm)
                if call is None:
                    self.refused += 1
                    self.stopping.wait(PAUSE_SECONDS)
                else:
                    self.answered.append(call)
                    if by_litellm:
                        self.answered_by_litellm.append(call)
                    self.stopping.wait(self.pause)

    def grew_by(self, count: int, *, seconds: float) -> None:
        """Wait for a number of further answers."""
        goal = len(self.answered) + count
        until(
            lambda: len(self.answered) >= goal,
            seconds=seconds,
            what=f"{count} more answers after {len(self.answered)}",
        )

    def _ask(
        self, session: requests.Session, *, stream: bool, model: str, by_litellm: bool
    ) -> str | None:
        """Return the call's id, None without a whole answer."""
        body = {"model": model, "messages": [{"role": "user", "content": "Hallo"}]}
        path = "messages" if by_litellm else "chat/completions"
        try:
            answer = session.post(
                f"{self.stack.gateway_url}/v1/{path}",
                json=body | ({"max_tokens": 50} if by_litellm else {"stream": stream}),
                headers={"Authorization": f"Bearer {self.payer.secret}"},
                timeout=ANSWER_SECONDS,
            )
        except requests.RequestException:
            return None
        whole = answer.status_code == requests.codes.ok
        if stream:
            whole = whole and "data: [DONE]" in answer.text and '"error"' not in answer.text
        return str(answer.headers["x-litellm-call-id"]) if whole else None


@contextmanager
def load(
    stack: Stack,
    payer: Payer,
    *,
    workers: int = WORKERS,
    pause: float = 0,
    models: Sequence[str] = (FREE, PRICED),
    by_litellm: bool = False,
) -> Iterator[Load]:
    """Yield running clients; they stop at the end."""
    running = Load(stack, payer, pause, models, by_litellm)
    threads = [threading.Thread(target=running.work, args=(n,)) for n in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stopping.set()
        for thread in threads:
            thread.join()


@dataclass(frozen=True)
class Books:
    """What the database says of one payer."""

    rows: list[dict[str, Any]]
    totals: dict[str, float]

    @property
    def rows_of_calls(self) -> Counter[str]:
        """How many rows of answers each call has."""
        return Counter(row["litellm_call_id"] for row in self.rows if row["status"] == "success")

    @property
    def spent(self) -> float:
        """The sum of the rows, USD."""
        return float(sum(row["spend"] for row in self.rows))


def read_books(stack: Stack, payer: Payer) -> Books:
    """Return rows and totals of one payer, at one moment."""
    with stack.database() as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rows = connection.execute(
            'SELECT * FROM "LiteLLM_SpendLogs" WHERE api_key = %s', [payer.token]
        ).fetchall()
        found = connection.execute(TOTALS, payer.__dict__).fetchone()
    assert found is not None
    return Books(rows, {name: float(value or 0) for name, value in found.items()})


TOTALS = """
SELECT
  (SELECT spend FROM "LiteLLM_VerificationToken" WHERE token = %(token)s) AS key,
  (SELECT spend FROM "LiteLLM_TeamTable" WHERE team_id = %(team)s) AS team,
  (SELECT spend FROM "LiteLLM_UserTable" WHERE user_id = %(user)s) AS user,
  (SELECT spend FROM "LiteLLM_TeamMembership"
    WHERE team_id = %(team)s AND user_id = %(user)s) AS member,
  (SELECT sum(spend) FROM "LiteLLM_DailyUserSpend" WHERE user_id = %(user)s) AS user_daily,
  (SELECT sum(spend) FROM "LiteLLM_DailyTeamSpend" WHERE team_id = %(team)s) AS team_daily
"""

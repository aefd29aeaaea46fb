"""Two gateways and one LiteLLM behind them: each call booked once, budgets and journals shared."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from support.scripted import PRICED, SCRIPTED_PROVIDERS, play
from support.stack import LITELLM_SECONDS, Stack
from support.wait import until

pytestmark = pytest.mark.long

OVERRIDE = "services: { gateway: { ports: !reset [] } }\n"
"""As docs/operations.md says: a load balancer of the user's own is in front."""

UP = ("up", "--detach", "--no-build", "--wait", "--scale", "gateway=2")
SERVICES = ("gateway", "scripted-upstream")
COST = 8 * 0.15e-6 + 100 * 0.60e-6
SECONDS = 120
ANSWER_SECONDS = 10
"""A container that is killed may take its network along before it has closed its connections."""

LEARN_SECONDS = 15
"""How long another gateway's costs may be unknown: 3 s, and what a busy machine adds."""

TOTALS = """
SELECT (SELECT count(*) FROM "LiteLLM_SpendLogs" WHERE api_key = t.token) AS rows,
       (SELECT coalesce(sum(spend), 0) FROM "LiteLLM_SpendLogs" WHERE api_key = t.token) AS booked,
       spend FROM "LiteLLM_VerificationToken" AS t WHERE key_alias = %s
"""


class Pair:
    """A stack with two gateways, each asked at its own address."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    @property
    def containers(self) -> list[str]:
        """The gateways that run."""
        return self.stack.compose("ps", "--quiet", "gateway").stdout.split()

    def url(self, container: str) -> str:
        """Return where a gateway is."""
        network = (
            f'{{{{(index .NetworkSettings.Networks "{self.stack.project}_default").IPAddress}}}}'
        )
        found = self.stack.command("docker", "inspect", "--format", network, container)
        return f"http://{found.stdout.strip()}:4000"

    def key(self, url: str, name: str, **fields: object) -> str:
        """Make a key through one gateway and return its secret."""
        headers = {"Authorization": f"Bearer {self.stack.secret('litellm_master_key')}"}
        body = {"key_alias": name, **fields}

        def answer() -> str | None:
            done = requests.post(f"{url}/key/generate", json=body, headers=headers, timeout=90)
            if done.status_code == requests.codes.unavailable:
                return None  # LiteLLM's proxy, which starts on demand, is starting
            assert done.ok, done.text
            return str(done.json()["key"])

        return until(answer, seconds=LITELLM_SECONDS, what="LiteLLM's proxy to make a key")

    def totals(self, name: str) -> dict[str, Any]:
        """Return what the database says of a key."""
        (row,) = self.stack.sql(TOTALS, name)
        return row


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Yield two gateways that run."""
    override: Path = tmp_path_factory.mktemp("override") / "override.yml"
    override.write_text(OVERRIDE)
    files = {"COMPOSE_FILE": f"docker-compose.yml:{override}"}
    with Stack(SCRIPTED_PROVIDERS | files) as running:
        running.compose(*UP, *SERVICES)
        play(running, {"answer": {"input_tokens": 8, "output_tokens": 100}})
        yield Pair(running)


def ask(
    url: str, key: str, path: str = "chat/completions", *, timeout: float = 90, **body: object
) -> requests.Response:
    """Ask one gateway one thing."""
    message = {"role": "user", "content": "Hallo"}
    return requests.post(
        f"{url}/v1/{path}",
        json={"model": PRICED, "messages": [message], "max_tokens": 100, **body},
        headers={"Authorization": f"Bearer {key}"},
        timeout=timeout,
    )


def test_litellm_serves_both_and_calls_models_through_either(pair: Pair) -> None:
    """A key made through one is used through the other, also on a path of LiteLLM's."""
    first, second = map(pair.url, pair.containers)
    name = f"both-{secrets.token_hex(4)}"
    key = pair.key(first, name)

    for url in (first, second) * 2:
        answer = ask(url, key, "messages")
        assert answer.ok, answer.text

    until(lambda: pair.totals(name)["rows"] == 4, seconds=SECONDS, what="four rows")


def test_what_one_gateway_spends_the_other_learns(pair: Pair) -> None:
    """A budget that is spent at one is spent at the other, a few seconds later."""
    first, second = map(pair.url, pair.containers)
    key = pair.key(first, f"learns-{secrets.token_hex(4)}", max_budget=5.5 * COST)
    assert ask(second, key).ok, "the second knows the key, and its budget as it was"

    answered = 0
    while ask(first, key).ok:
        answered += 1
        assert answered <= 6

    assert answered >= 4
    until(
        lambda: ask(second, key).status_code == requests.codes.too_many_requests,
        seconds=LEARN_SECONDS,
        what="the second gateway to refuse",
    )


def test_thirty_callers_over_both_share_one_budget(
    pair: Pair, counted: Callable[[str], None]
) -> None:
    """Asked at both at once, a budget is used to its end and passed by less than one request."""
    urls = [pair.url(each) for each in pair.containers]
    name = f"shared-{secrets.token_hex(4)}"
    key = pair.key(urls[0], name, max_budget=12.5 * COST)
    slow = {"name": "slow", "when": {"from": 1}, "do": {"stall": 1}}
    answer = {"input_tokens": 8, "output_tokens": 100}
    play(pair.stack, {"answer": answer, "rules": [slow]})

    with ThreadPoolExecutor(30) as pool:
        statuses = Counter(pool.map(lambda n: ask(urls[n % 2], key).status_code, range(30)))

    play(pair.stack, {"answer": answer})
    counted(f"answered {statuses[200]} of 30 at once at two gateways, budget for 12.5")
    assert statuses == {requests.codes.ok: 13, requests.codes.too_many_requests: 17}
    until(lambda: pair.totals(name)["rows"] >= 13, seconds=SECONDS, what="thirteen rows")
    assert pair.totals(name)["spend"] == pytest.approx(13 * COST)
    for url in urls:
        assert ask(url, key).json()["error"]["type"] == "budget_exceeded"


def test_no_call_is_lost_or_doubled_when_one_is_killed(
    pair: Pair, counted: Callable[[str], None]
) -> None:
    """Each has a journal of its own; the one that lives brings in what the other left."""
    first, second = pair.containers
    name = f"killed-{secrets.token_hex(4)}"
    urls = [pair.url(first), pair.url(second)]
    key = pair.key(urls[1], name)
    answered: list[str] = []
    stopping = threading.Event()

    def load(url: str) -> None:
        while not stopping.is_set():
            try:
                answer = ask(url, key, timeout=ANSWER_SECONDS)
            except requests.RequestException:
                stopping.wait(0.1)
                continue
            if answer.ok:
                answered.append(answer.headers["x-litellm-call-id"])

    threads = [threading.Thread(target=load, args=(url,)) for url in urls * 2]
    for thread in threads:
        thread.start()
    until(lambda: len(answered) > 40, seconds=SECONDS, what="forty answers")
    pair.stack.command("docker", "kill", first)
    reached = len(answered) + 20
    until(lambda: len(answered) > reached, seconds=SECONDS, what="twenty more of the other")
    stopping.set()
    for thread in threads:
        thread.join()

    until(
        lambda: pair.totals(name)["rows"] >= len(answered),
        seconds=SECONDS,
        what="the rows of what the killed one left",
    )
    books = pair.totals(name)
    calls = pair.stack.sql(
        'SELECT litellm_call_id AS call FROM "LiteLLM_SpendLogs" AS l'
        ' JOIN "LiteLLM_VerificationToken" AS t ON l.api_key = t.token WHERE key_alias = %s',
        name,
    )
    counted(f"two gateways, one killed: {len(answered)} answered, {len(calls)} rows")
    assert len({row["call"] for row in calls}) == len(calls)
    assert set(answered) <= {row["call"] for row in calls}
    assert books["spend"] == pytest.approx(books["booked"], abs=1e-9)

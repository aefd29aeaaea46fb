"""A stack of the real version 0.1, with data of every kind that an upgrade has to keep.

Its image and its compose file come from this repository's own history. What 0.1 itself saved of
such a stack, and what 0.1 itself then made of it, is recorded in tests/support/version-0.1, so that
reading it needs no old image (support.record_version_01).
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import LiteralString

import requests

from support.kept_data import booked
from support.scripted import FREE, PRICED, SCRIPTED_PROVIDERS, ask, play
from support.stack import REPOSITORY, Stack, image
from support.wait import until

COMMIT = "54ae237aa88f57e34cf091285621d16d9b15d8fd"
"""The last one in which LiteLLM itself was the gateway."""

TAG = f"of-{COMMIT[:12]}"
IMAGE = f"litellm-proxy-service/litellm:{TAG}"
GATEWAY = "litellm"
"""What the gateway's service is called there."""

RECORDED = REPOSITORY / "tests" / "support" / "version-0.1"
BACKUP = RECORDED / "stack.backup.gz"
RESULT = RECORDED / "result.json"

# Of nobody: a stack that has them lives for minutes.
MASTER_KEY = "sk-master-of-version-01-0123456789abcdef"
SECRETS = {
    "LITELLM_MASTER_KEY": MASTER_KEY,
    "LITELLM_SALT_KEY": "sk-salt-of-version-01-0123456789abcdef",
    "POSTGRES_PASSWORD": "postgres-of-version-01-0123456789",
    "GATEWAY_DB_PASSWORD": "gateway-of-version-01-0123456789",
    "BACKEND_VIRTUAL_KEY": "sk-backend-of-version-01-0123456789",
}
BACKEND = SECRETS["BACKEND_VIRTUAL_KEY"]
ANNA = "sk-anna-of-version-01-0123456789"
"""A user's in a team of an organisation."""
SPENT = "sk-spent-of-version-01-0123456789"
"""Its budget is passed."""
BLOCKED = "sk-blocked-of-version-01-0123456789"
PROVIDER_KEY = "sk-stored-with-the-salt-key-0123"

AT_ONCE = 40
"""Requests under way when the gateway is killed, so that some have a note and no record."""

ORGANIZATION: tuple[LiteralString, ...] = (
    """INSERT INTO "LiteLLM_BudgetTable" (budget_id, max_budget, created_by, updated_by)
    VALUES ('Ärger & ß', 7.25, 'a', 'a')""",
    """INSERT INTO "LiteLLM_OrganizationTable"
    (organization_id, organization_alias, budget_id, models, created_by, updated_by)
    VALUES ('org', 'Verein "Ö"', 'Ärger & ß', '{}', 'a', 'a')""",
)
"""LiteLLM's own API for these is for its paying customers."""


@cache
def compose_command() -> tuple[str, ...]:
    """Return what calls docker compose with 0.1's file.

    Raises:
        AssertionError: this clone does not have the commit.
    """
    file = Path(tempfile.mkdtemp(prefix=TAG)) / "docker-compose.yml"
    file.write_bytes(_history("show", f"{COMMIT}:docker-compose.yml"))
    return "docker", "compose", "--project-directory", str(REPOSITORY), "--file", str(file)


def _history(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def build() -> None:
    """Make the image of 0.1's gateway, unless the engine has it; the others are as they were.

    Raises:
        AssertionError: this clone does not have the commit, or the build failed.
    """
    wanted = ["docker", "image", "inspect", IMAGE]
    if subprocess.run(wanted, capture_output=True, check=False).returncode != 0:
        context = _history("archive", f"{COMMIT}:litellm")
        build = ["docker", "build", "--quiet", "--tag", IMAGE, "-"]
        built = subprocess.run(build, input=context, capture_output=True, check=False)
        assert built.returncode == 0, built.stderr.decode()
    for name in ("postgres", "scripted-upstream"):
        tagged = f"litellm-proxy-service/{name}:{TAG}"
        subprocess.run(["docker", "tag", image(name), tagged], check=True)


def stack() -> Stack:
    """Return a stack with the secrets of 0.1's, not started."""
    # A recorded date must not become one on which a budget begins again.
    return Stack({**SCRIPTED_PROVIDERS, **SECRETS, "BACKEND_BUDGET_DURATION": "9999d"})


def compose(stack: Stack, *arguments: str) -> None:
    """Call docker compose with 0.1's file and images."""
    stack.command(*compose_command(), *arguments, STACK_VERSION=TAG)


def start(stack: Stack) -> None:
    """Start it as 0.1 does."""
    compose(stack, "up", "--detach", "--no-build", "--wait", GATEWAY, "scripted-upstream")


def fill(stack: Stack) -> list[str]:
    """Make keys, a user, a team and the like, and have each ask; return the ids of the answers.

    When it returns, all costs are in the database.
    """
    for statement in ORGANIZATION:
        stack.sql(statement)
    manage(stack, "user/new", user_id="anna", auto_create_key=False, max_budget=50)
    manage(
        stack,
        "team/new",
        team_id="team",
        team_alias="Team \"Ö\" 'x'",
        max_budget=7,
        organization_id="org",
        members_with_roles=[{"role": "user", "user_id": "anna"}],
    )
    manage(stack, "customer/new", user_id="kunde", max_budget=10)
    manage(stack, "tag/new", name="t1")
    manage(stack, "key/generate", key=ANNA, key_alias="anna", user_id="anna", team_id="team",
           models=[PRICED], max_budget=5, rpm_limit=1000)  # fmt: skip
    manage(stack, "key/generate", key=SPENT, key_alias="spent", max_budget=1e-6)
    manage(stack, "key/generate", key=BLOCKED, key_alias="blocked")
    manage(stack, "key/block", key=BLOCKED)
    manage(stack, "credentials", credential_name="stored", credential_info={},
           credential_values={"api_key": PROVIDER_KEY})  # fmt: skip
    answers = [*each_kind(stack), ask(stack, SPENT)]
    answered = ids(answers)
    until(lambda: booked(stack, answered), seconds=60, what="the costs to be booked")
    return answered


def each_kind(stack: Stack) -> list[requests.Response]:
    """Return answers of each kind: plain, streamed, free, tagged, of an end user, with no usage."""
    play(stack, {"rules": [{"match": {"text": "no usage"}, "do": {"no_usage": True}}]})
    return [
        ask(stack, BACKEND),
        ask(stack, BACKEND, FREE),
        ask(stack, BACKEND, messages=said("no usage")),
        ask(stack, ANNA, metadata={"tags": ["t1", "t2"]}),
        ask(stack, ANNA, user="kunde", messages=said("Guten Tag! " * 50)),
        ask(stack, ANNA, stream=True),
    ]


def said(text: str) -> list[dict[str, str]]:
    """Return the messages of a request that says this."""
    return [{"role": "user", "content": text}]


def manage(stack: Stack, path: str, **fields: object) -> None:
    """Call LiteLLM's own API as its admin.

    Raises:
        AssertionError: it refused.
    """
    url, headers = f"{stack.gateway_url}/{path}", {"Authorization": f"Bearer {MASTER_KEY}"}
    answer = requests.post(url, json=fields, headers=headers, timeout=60)
    assert answer.ok, answer.text


def ids(answers: Iterable[requests.Response]) -> list[str]:
    """Return LiteLLM's id of each answer.

    Raises:
        AssertionError: one is none.
    """
    found = list(answers)
    assert all(answer.ok for answer in found), [answer.text for answer in found]
    return [answer.headers["x-litellm-call-id"] for answer in found]


def kill_at_work(stack: Stack) -> list[str]:
    """Kill the gateway amid requests; return the ids of those that were answered.

    Somebody must keep its costs out of the database meanwhile.
    """
    answered: list[str] = []

    def request(number: int) -> None:
        try:
            key, text = (ANNA, BACKEND)[number % 2], said("Hallo! " * number + "!")
            answer = ask(stack, key, messages=text, stream=number % 4 > 1)
        except requests.RequestException:
            return
        if answer.ok and (number % 4 < 2 or "[DONE]" in answer.text):
            answered.append(answer.headers["x-litellm-call-id"])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(request, number) for number in range(AT_ONCE)]
        until(lambda: len(answered) >= AT_ONCE // 4, seconds=60, what="the first answers")
        stack.command("docker", "kill", stack.container(GATEWAY))
        for each in asked:
            each.result()
    return answered


def lines_left(stack: Stack) -> tuple[set[str], set[str]]:
    """Return the ids of the notes and of the records in the journal of a gateway that is gone."""
    container = stack.container(GATEWAY)
    copied = subprocess.run(
        ["docker", "cp", f"{container}:/var/lib/gateway-journal", "-"],
        capture_output=True,
        check=True,
    ).stdout
    notes, records = set(), set()
    with tarfile.open(fileobj=io.BytesIO(copied)) as files:
        for each in files.getmembers():
            if not each.name.endswith(".journal"):
                continue
            content = files.extractfile(each)
            assert content is not None
            for line in content.read().rstrip(b"\0").splitlines():
                fields = json.loads(line.partition(b" ")[2])
                if "note" in fields:
                    notes.add(fields["note"]["id"])
                elif "row" in fields:
                    records.add(fields["id"])
    return notes, records

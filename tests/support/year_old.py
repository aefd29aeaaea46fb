"""Versions of the stack as images, and the data of one that LiteLLM used a year ago."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, LiteralString

from support.stack import REPOSITORY, Stack
from support.version_01 import GATEWAY, compose_command

CURRENT = os.environ.get("STACK_VERSION", "0.1.0")
OLD_PROXY_EXTRAS = Path("/opt/old-proxy-extras/litellm_proxy_extras")
"""litellm-proxy-extras 0.4.9 of November 2025; tests/Dockerfile puts it there."""

PACKAGE = "/opt/venv/lib/python3.13/site-packages/litellm_proxy_extras"
REQUESTS = 20_000
CENTS = 0.0125
KEY = "sk-of-a-year-ago-0"

# The gateway's image with what differs in a version; other files come from the build's folder.
IMAGE = "FROM litellm-proxy-service/gateway:{base}\nUSER root\n{changes}\nUSER 10001:10000\n"
YEAR_OLD = f"""
RUN rm -r {PACKAGE}/migrations
COPY migrations {PACKAGE}/migrations
COPY schema.prisma {PACKAGE}/schema.prisma
COPY --chmod=0755 old_gateway.py /opt/venv/bin/gateway"""

# Keys of people in teams, and their requests of the last ten days: every row's cost is CENTS.
FILL: tuple[LiteralString, ...] = (
    """INSERT INTO "LiteLLM_BudgetTable"
    (budget_id, max_budget, budget_duration, budget_reset_at, created_by, updated_by)
    VALUES ('Ärger & ß', 7.25, '30d', now() + interval '20 days', 'a', 'a')""",
    """INSERT INTO "LiteLLM_OrganizationTable"
    (organization_id, organization_alias, budget_id, models, created_by, updated_by)
    VALUES ('org', 'Verein "Ö"', 'Ärger & ß', '{}', 'a', 'a')""",
    """INSERT INTO "LiteLLM_TeamTable" (team_id, team_alias, organization_id, spend, max_budget)
    SELECT 'team-' || n, 'Team ' || n, 'org', %(cents)s * %(requests)s / 5, 1000
    FROM generate_series(0, 4) n""",
    """INSERT INTO "LiteLLM_UserTable" (user_id, user_email, spend, teams)
    SELECT 'user-' || n, n || '@example.org', %(cents)s * %(requests)s / 50,
      ARRAY['team-' || n %% 5]
    FROM generate_series(0, 49) n""",
    """INSERT INTO "LiteLLM_VerificationToken"
    (token, key_name, key_alias, spend, user_id, team_id, models)
    SELECT encode(sha256(('sk-of-a-year-ago-' || n)::bytea), 'hex'), 'sk-...' || n, 'key ' || n,
      %(cents)s * %(requests)s / 50, 'user-' || n, 'team-' || n %% 5, ARRAY['gpt-4o']
    FROM generate_series(0, 49) n""",
    """INSERT INTO "LiteLLM_CredentialsTable"
    (credential_id, credential_name, credential_values, created_by, updated_by)
    VALUES ('c', 'provider', '{"api_key": "encrypted"}', 'a', 'a')""",
    """INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, spend, total_tokens,
      prompt_tokens, completion_tokens, "startTime", "endTime", model, "user", team_id, metadata)
    SELECT 'chatcmpl-' || n, 'acompletion',
      encode(sha256(('sk-of-a-year-ago-' || n %% 50)::bytea), 'hex'), %(cents)s, 30, 10, 20,
      now() - n * interval '40 seconds', now() - n * interval '39 seconds', 'gpt-4o',
      'user-' || n %% 50, 'team-' || n %% 5, '{"user_api_key_alias": "kept"}'
    FROM generate_series(0, %(requests)s - 1) n""",
    """INSERT INTO "LiteLLM_DailyUserSpend" (id, user_id, date, api_key, model, spend, api_requests,
      prompt_tokens, completion_tokens, successful_requests, failed_requests, updated_at)
    SELECT gen_random_uuid(), "user", to_char("startTime", 'YYYY-MM-DD'), api_key, model,
      sum(spend), count(*), sum(prompt_tokens), sum(completion_tokens), count(*), 0, now()
    FROM "LiteLLM_SpendLogs" GROUP BY 2, 3, 4, 5""",
)


def version(
    stack: Stack,
    name: str,
    changes: str,
    *,
    base: str = CURRENT,
    folder: Path = REPOSITORY / "tests",
) -> str:
    """Make the images of another version.

    Args:
        stack: whose project name ends the tag, so that its images can be told from others.
        name: begins the tag.
        changes: to the gateway's image, as lines of a Dockerfile.
        base: the tag of the version from which it differs.
        folder: where files that these copy come from.

    Returns:
        The tag, for STACK_VERSION.
    """
    tag = f"{name}-{stack.project}"
    image = IMAGE.format(base=base, changes=changes)
    built = f"litellm-proxy-service/gateway:{tag}"
    build = ("docker", "build", "--quiet", "--tag", built, "--file", "-", str(folder))
    stack.command(*build, stdin=image)
    for old, new in (("postgres", "postgres"), ("gateway", "litellm")):
        taken = CURRENT if old == "postgres" else tag
        repository = "litellm-proxy-service"
        stack.command("docker", "tag", f"{repository}/{old}:{taken}", f"{repository}/{new}:{tag}")
    return tag


def year_old_version(stack: Stack) -> str:
    """Make the images of a version that has LiteLLM's migrations of a year ago; return its tag."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(OLD_PROXY_EXTRAS / "migrations", f"{folder}/migrations")
        shutil.copy(OLD_PROXY_EXTRAS / "schema.prisma", folder)
        shutil.copy(Path(__file__).with_name("old_gateway.py"), folder)
        return version(stack, "year-old", YEAR_OLD, folder=Path(folder))


def start(stack: Stack, tag: str) -> None:
    """Start a stack of 0.1 with the images of that tag."""
    up = ("up", "--detach", "--no-build", "--wait", GATEWAY)
    stack.command(*compose_command(), *up, STACK_VERSION=tag)


def fill(stack: Stack) -> None:
    """Put the rows of a year ago into a database of then."""
    with stack.database() as connection:
        for statement in FILL:
            values = {"cents": CENTS, "requests": REQUESTS} if "%(" in statement else None
            connection.execute(statement, values)


def columns(stack: Stack) -> dict[str, list[str]]:
    """Return the columns of every table of LiteLLM's and of Prisma's history."""
    rows = stack.sql(
        """SELECT table_name AS "table", array_agg(column_name::text ORDER BY column_name) AS names
        FROM information_schema.columns WHERE table_schema = 'public'
        AND table_name IN (SELECT tablename FROM pg_tables
          WHERE tablename LIKE 'LiteLLM\\_%' OR tablename = '_prisma_migrations')
        GROUP BY table_name"""
    )
    return {row["table"]: row["names"] for row in rows}


def contents(stack: Stack, wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the checksum of each row of each table, as far as these columns go, sorted."""
    found: dict[str, list[str]] = {}
    with stack.database() as connection:
        for table, names in wanted.items():
            picked = ", ".join(f'"{name}"' for name in names)
            rows: list[dict[str, Any]] = connection.execute(
                f"""SELECT md5(r::text) AS sum FROM (SELECT {picked} FROM "{table}") r
                ORDER BY 1"""
            ).fetchall()
            found[table] = [row["sum"] for row in rows]
    return found

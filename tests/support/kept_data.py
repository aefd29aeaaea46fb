"""What a stack's database has of costs, and of what is encrypted in it."""

from __future__ import annotations

from typing import Any, LiteralString

from support.stack import Stack

DECRYPT = """
import os, sys
from pathlib import Path
kept = {name: value for name, value in os.environ.items() if value}
os.environ.clear()
os.environ.update(kept)  # LiteLLM takes an empty variable for a value
os.environ["LITELLM_SALT_KEY"] = Path("/run/gateway-secrets/litellm_salt_key").read_text()
from litellm.proxy.common_utils.encrypt_decrypt_utils import decrypt_value_helper
print(decrypt_value_helper(sys.argv[1], key="api_key"))
"""
"""In the gateway's container, with its salt key: what a stored credential is."""

ROWS: LiteralString = """SELECT litellm_call_id, spend, prompt_tokens, completion_tokens,
    total_tokens, model, model_group, custom_llm_provider, call_type, api_key, team_id, "user",
    end_user FROM "LiteLLM_SpendLogs" ORDER BY litellm_call_id, request_id"""

SPENT_BY: dict[str, LiteralString] = {
    "keys": """SELECT token AS of, spend FROM "LiteLLM_VerificationToken" """,
    "users": """SELECT user_id AS of, spend FROM "LiteLLM_UserTable" """,
    "teams": """SELECT team_id AS of, spend FROM "LiteLLM_TeamTable" """,
    "members": """SELECT team_id || user_id AS of, spend FROM "LiteLLM_TeamMembership" """,
    "organizations": """SELECT organization_id AS of, spend FROM "LiteLLM_OrganizationTable" """,
    "end users": """SELECT user_id AS of, spend FROM "LiteLLM_EndUserTable" """,
    "tags": """SELECT tag_name AS of, spend FROM "LiteLLM_TagTable" """,
    "days of users": """SELECT user_id || api_key AS of, sum(spend) AS spend
        FROM "LiteLLM_DailyUserSpend" GROUP BY 1""",
    "days of teams": """SELECT team_id || api_key AS of, sum(spend) AS spend
        FROM "LiteLLM_DailyTeamSpend" GROUP BY 1""",
    "days of tags": """SELECT tag || api_key AS of, sum(spend) AS spend
        FROM "LiteLLM_DailyTagSpend" GROUP BY 1""",
}
"""What a cost is added to."""


def booked(stack: Stack, wanted: list[str]) -> bool:
    """Return whether each of these answers has a row."""
    query: LiteralString = (
        'SELECT litellm_call_id FROM "LiteLLM_SpendLogs" WHERE litellm_call_id = ANY(%s)'
    )
    return {row["litellm_call_id"] for row in stack.sql(query, wanted)} == set(wanted)


def result(stack: Stack) -> dict[str, Any]:
    """Return what the database has of costs: rows, and all that they were added to."""
    return {
        "rows": stack.sql(ROWS),
        "spent by": {
            name: {str(row["of"]): row["spend"] for row in stack.sql(query) if row["spend"]}
            for name, query in SPENT_BY.items()
        },
    }


def stored_key(stack: Stack) -> str:
    """Return the provider's key that the database holds encrypted, as a gateway decrypts it."""
    (row,) = stack.sql('SELECT credential_values FROM "LiteLLM_CredentialsTable"')
    encrypted = row["credential_values"]["api_key"]
    decrypted = stack.execute("gateway", "python", "-c", DECRYPT, encrypted).strip()
    assert decrypted not in encrypted
    return decrypted

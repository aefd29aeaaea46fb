"""Every column of LiteLLM's tables that is read; the contract test compares them with its schema.

A statement may join the same table several times under different names, such as a key's budget and
a member's budget.
"""

from __future__ import annotations

_BUDGET = ("budget_id", "max_budget", "rpm_limit", "tpm_limit", "tpd_limit", "model_max_budget")

TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    # name in the statement: table, columns
    "key": (
        "LiteLLM_VerificationToken",
        (
            *("token", "key_name", "key_alias", "user_id", "team_id", "organization_id"),
            *("project_id", "agent_id", "blocked", "expires", "models", "aliases", "metadata"),
            *("spend", "max_budget", "rpm_limit", "tpm_limit", "tpd_limit"),
            *("max_parallel_requests", "allowed_routes", "access_group_ids", "budget_id"),
            *("object_permission_id", "policies", "router_settings", "config", "permissions"),
            *("allowed_cache_controls", "model_max_budget", "budget_limits", "budget_fallbacks"),
        ),
    ),
    "rotated": ("LiteLLM_DeprecatedVerificationToken", ("token", "active_token_id", "revoke_at")),
    "key_budget": ("LiteLLM_BudgetTable", _BUDGET),
    "team": (
        "LiteLLM_TeamTable",
        (
            *("team_id", "team_alias", "organization_id", "blocked", "models", "metadata"),
            *("spend", "max_budget", "rpm_limit", "tpm_limit", "tpd_limit", "model_id"),
            *("access_group_ids", "object_permission_id", "policies", "router_settings"),
            *("model_max_budget", "budget_limits"),
        ),
    ),
    "team_aliases": ("LiteLLM_ModelTable", ("id", "aliases")),
    "owner": (
        "LiteLLM_UserTable",
        (
            *("user_id", "user_email", "user_role", "models", "metadata", "spend", "max_budget"),
            *("rpm_limit", "tpm_limit", "object_permission_id", "policies", "model_max_budget"),
        ),
    ),
    "member": ("LiteLLM_TeamMembership", ("user_id", "team_id", "spend", "budget_id")),
    "member_budget": (
        "LiteLLM_BudgetTable",
        (*_BUDGET, "allowed_models", "temp_budget_increase", "temp_budget_expiry"),
    ),
    "member_default": ("LiteLLM_BudgetTable", ("budget_id", "max_budget")),
    "organization": (
        "LiteLLM_OrganizationTable",
        ("organization_id", "budget_id", "metadata", "spend", "object_permission_id"),
    ),
    "organization_budget": ("LiteLLM_BudgetTable", _BUDGET),
    "organization_member": (
        "LiteLLM_OrganizationMembership",
        ("organization_id", "user_id", "spend"),
    ),
    "end_user_default": ("LiteLLM_BudgetTable", _BUDGET),
    "end_user": (
        "LiteLLM_EndUserTable",
        (
            *("user_id", "spend", "blocked", "models", "budget_id", "object_permission_id"),
            *("allowed_model_region", "default_model"),
        ),
    ),
    "end_user_budget": ("LiteLLM_BudgetTable", _BUDGET),
    "access_group": (
        "LiteLLM_AccessGroupTable",
        ("access_group_id", "access_model_names", "assigned_team_ids", "assigned_key_ids"),
    ),
    "tag": ("LiteLLM_TagTable", ("tag_name", "budget_id")),
    "group_budget": (
        "LiteLLM_ModelAccessGroupBudgetTable",
        ("access_group_name", "budget_id"),
    ),
}


def selected(*names: str) -> tuple[str, list[tuple[str, str]]]:
    """Return what a statement selects from some tables, and the table and column of each value."""
    pairs = [(name, column) for name in names for column in TABLES[name][1]]
    return ", ".join(f'{name}."{column}"' for name, column in pairs), pairs


def table(name: str) -> str:
    """Return a table with its name in the statement."""
    return f'"{TABLES[name][0]}" AS {name}'

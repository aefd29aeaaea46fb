"""The spend views, taken from LiteLLM's own source."""

from __future__ import annotations

import sys

from gateway.spend.views import view_source, view_statements

VIEWS = {
    "LiteLLM_VerificationTokenView",
    "MonthlyGlobalSpend",
    "Last30dKeysBySpend",
    "Last30dModelsBySpend",
    "MonthlyGlobalSpendPerKey",
    "MonthlyGlobalSpendPerUserPerKey",
    "DailyTagSpend",
    "Last30dTopEndUsersSpend",
}


def test_every_view_is_found_without_importing_litellm() -> None:
    """The eight views of the pinned LiteLLM are read, and its package is not imported for it."""
    before = "litellm.proxy.proxy_server" in sys.modules
    statements = view_statements(view_source())
    assert set(statements) == VIEWS
    assert ("litellm.proxy.proxy_server" in sys.modules) == before


def test_only_create_view_statements_are_taken() -> None:
    """Other SQL and plain strings of the module are left alone."""
    source = """
'''A text about CREATE VIEW "No" in words'''
async def f(db):
    await db.query_raw('SELECT 1 FROM "A" LIMIT 1')
    sql = '''
        CREATE OR REPLACE VIEW "B" AS SELECT 1
    '''
"""
    assert list(view_statements(source)) == ["B"]

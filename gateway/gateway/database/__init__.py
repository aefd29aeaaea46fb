"""The database: how it is reached, and how its schema is created.

`url.py` and `connection.py` reach the database. `migrate.py` brings it to LiteLLM's schema with
Prisma's own command line (`prisma_cli.py`), and trusts the ledger (`ledger.py`), not an exit code.
`takeover.py` is for a database that LiteLLM itself created, `report_views.py` for reports.
"""

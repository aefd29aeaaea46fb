"""The database: how it is reached, and how its schema gets there.

`url.py` and `connection.py` reach it. `migrate.py` brings it to LiteLLM's schema with Prisma's own
command line (`prisma_cli.py`), and believes the ledger (`ledger.py`), not an exit code.
`takeover.py` is for a database that LiteLLM itself made, `report_views.py` for those who read.
"""

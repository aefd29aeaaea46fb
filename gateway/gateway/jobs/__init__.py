"""Background jobs for all gateways of a database; for each run one gateway is elected to do it.

Begin with `jobs.py`: it says when each job runs, and what it reports to /health. The jobs are
`budget_resets.py`, `retention.py` and `backend_key.py`. What each changes is in its `WRITES` or
`DELETES`. `durations.py` is LiteLLM's calendar of budgets, and `election.py` picks the gateway.
"""

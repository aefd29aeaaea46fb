"""What runs in the background for all gateways of a database: one of them does it, elected per run.

Begin with `jobs.py`: when each job runs, and what it says of itself to the health. The jobs are
`budget_resets.py`, `retention.py` and `backend_key.py`; what each writes stands in its `WRITES`.
`durations.py` is LiteLLM's calendar of budgets, `election.py` picks the gateway that works.
"""

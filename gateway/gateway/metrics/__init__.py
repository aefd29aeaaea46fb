"""Metrics for Prometheus: what this gateway knows better than anybody who looks at it from outside.

`server.py` ties it together and listens on a port of its own. `requests.py` counts what failover's
record of each request says, in microseconds; `state.py` looks at the rest when Prometheus asks:
health, deployments, the journal, and keys with a budget (`budgets.py`).
"""

"""Metrics for Prometheus: what this gateway knows better than any observer.

`server.py` ties it together and listens on a port of its own. `requests.py` counts what failover's
record of each request says, in microseconds; `state.py` reads the rest when Prometheus asks:
health, deployments, the journal, and keys with a budget (`budgets.py`).
"""

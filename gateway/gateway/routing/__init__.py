"""From an alias to an answer: which deployment is asked, what a failure means, what is asked next.

Start at `router.py`: it tries an alias, then its fallbacks. `selection.py` picks one of an alias's
deployments (by `strategies.py`), `attempts.py` makes one attempt, `answer.py` is its answer.
`deployment_state.py` holds a deployment's state. `recovery.py` finds out in the background when a
deployment in cooldown is back. `caller_error.py` and `report.py` make the caller's error message
and response headers.
"""

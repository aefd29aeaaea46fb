"""From an alias to an answer: which deployment is asked, what a failure means, and who is next.

Start at `router.py`: it tries an alias, then its fallbacks. `selection.py` picks one of an alias's
deployments (by `strategies.py`), `attempts.py` asks it once, `answer.py` is what comes of that. How
a deployment is stands in `deployment_state.py`; `recovery.py` finds out in the background when one
in cooldown is back. `caller_error.py` and `report.py` say what the caller is told.
"""

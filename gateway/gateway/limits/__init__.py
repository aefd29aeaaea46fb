"""Budgets, requests and tokens a minute, parallel requests: reserved before, settled after.

Begin with `limits.py`: `Limits.reserve` admits a request, lets it wait or refuses it. For an
admitted request it returns a `Reservation`, which is later settled with the exact cost or released.
`account.py` holds what is known about one key, team or user, `window.py` its current minute, and
`lease.py` its part of a budget that several gateways share. `refusals.py` has the messages.
Everything happens on one event loop and between two awaits, so nothing here is locked.
"""

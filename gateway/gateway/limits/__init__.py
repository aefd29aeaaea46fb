"""Budgets, requests and tokens a minute, parallel requests: reserved before, settled after.

Begin with `limits.py`: `Limits.reserve` admits a request, lets it wait or refuses it, and returns a
`Reservation`, which is settled with the exact cost or released. `account.py` is what is known of
one key, team or user, `window.py` its current minute, `lease.py` its part of a budget that other
gateways share, `refusals.py` the words of a refusal.
Everything happens on one event loop and between two awaits, so nothing here is locked.
"""

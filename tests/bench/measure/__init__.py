"""What is read off a running machine, and how rounds of it are made comparable.

`engine.py` reads processor time and memory of containers, `samples.py` holds what was measured, and
`rounds.py` lets alternatives take turns. Start reading there.
"""

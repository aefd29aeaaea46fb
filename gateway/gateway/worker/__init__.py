"""Deployments that need LiteLLM's translation, asked through its library in a process of its own.

`supervisor.py` starts that process and keeps it running; `provider.py` sends requests to it over a
Unix socket; `server.py` is the process, with `calls.py`, `streams.py` and `failures.py`. What the
two sides say to each other is in `wire.py`. Only `calls.py` and `streams.py` import LiteLLM.
"""

"""Asks the gateway and plain LiteLLM the same, and compares what both answer.

`models.py` has the configuration that both read, `running.py` the three processes (the scripted
upstream, the gateway, LiteLLM's proxy as it is), `cases.py` generates requests with what their
provider does, `asking.py` asks both sides, `outcome.py` says what came back and what differs.
"""

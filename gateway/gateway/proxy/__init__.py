"""LiteLLM's own proxy, unmodified, behind the gateway: how it is configured, run and reached.

Start reading at `routes.py`: what is answered by the gateway, what goes to LiteLLM, what is refused
and why. `configuration.py` is what LiteLLM is started with, `supervisor.py` runs it, `forward.py`
sends requests to it; its calls to models come back to the gateway's internal endpoint with a signed
identity (`callback.py` signs inside LiteLLM, `identity.py` verifies here).
"""

"""What is on the gateway's port: which path is whose, and how a request is read and answered.

`app.py` is the table of paths. An endpoint of OpenAI's API goes through `endpoint.py`: key
(`keys.py`), body (`body.py`, `validation/`), then the other rooms, and back out by `answers.py`.
Everything that this gateway does not do itself is handed to LiteLLM's proxy.
"""

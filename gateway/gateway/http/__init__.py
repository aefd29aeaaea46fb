"""What listens on the gateway's port: its paths, and how a request is read and answered.

`app.py` is the table of paths. `endpoint.py` handles requests of OpenAI's API: it reads the key
(`keys.py`) and the body (`body.py`, `validation/`), calls the other rooms, and sends the answer
(`answers.py`). Everything that the gateway does not do itself is forwarded to LiteLLM's proxy.
"""

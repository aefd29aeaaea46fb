"""The app's side of the gateway: German text in, vocabulary and explanations out, on port 8000.

It takes the place of the language app's real backend: small, but its contract with the gateway is
the real one. Start reading at `app` (the endpoints), then `litellm_provider` (the only module that
talks to the gateway) and `failures` (what each way of failing looks like to a caller).
"""

__version__ = "0.1.0"

"""Whether a body is one that a provider could take, before anything is reserved or asked.

`fields.py` has the checks of single values, `chat.py` those of a conversation, `operations.py`
which fields each kind of request has, `controls.py` what a request asks of the gateway itself.
"""

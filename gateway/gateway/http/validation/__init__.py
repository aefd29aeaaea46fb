"""Check whether a provider could accept a body, before anything is reserved or asked.

`fields.py` checks single values, and `chat.py` a conversation. `operations.py` lists the fields of
each kind of request. `controls.py` reads what a request asks of the gateway itself.
"""

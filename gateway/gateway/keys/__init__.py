"""Virtual keys for people and programs: made, listed, blocked, deleted and rotated by name.

The work is done by LiteLLM's own management API in the running gateway; a key's name is LiteLLM's
key_alias. Start reading at `commands.py`, the command line. `key_request.py` checks what is asked
for, `api.py` talks to LiteLLM, `report.py` prints. A secret is shown once: by create and rotate.
"""

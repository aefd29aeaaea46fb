"""Callers, read from LiteLLM's own tables and kept in memory, fresh within a second of a change.

Start reading at `access.py`, which the other rooms call. `reader.py` reads a caller with one
statement (`statements.py`, `columns.py`). `identity.py` makes the caller from the rows, by
LiteLLM's rules. `changes.py` is notified of changes in the tables. `litellm_only.py` lists what
only LiteLLM's proxy does for a key.
"""

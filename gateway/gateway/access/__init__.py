"""Who asks: callers from LiteLLM's own tables, in memory, fresh within a second of a change.

Start reading at `access.py`: what the other rooms call. `reader.py` reads a caller with one
statement (`statements.py`, `columns.py`), `identity.py` makes it of the rows as LiteLLM judges
them, `changes.py` hears of changes. What only LiteLLM's proxy does for a key is in `beyond.py`.
"""

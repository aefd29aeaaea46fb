"""The spend journal: every answer's record is on disk before its last byte leaves.

`spend_journal.py` ties it together. A record (`record.py`) is written by `writer.py`, which stands
where LiteLLM's database writer stood, into the files of `journal.py`; `hold.py` keeps an answer's
end back until then. `applier.py` brings the records into Postgres, rows and sums in one transaction
(`statements.py`), and after a death goes on where `reader.py` finds that it ended.
"""

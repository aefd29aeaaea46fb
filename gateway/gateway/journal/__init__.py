"""The spend journal: what each answer costs is on disk before its last byte leaves.

`spend_journal.py` ties it together. `accounting.py` writes a note (`note.py`) when LiteLLM begins
to account for an answer, and `hold.py` keeps the answer's end back until then. The record
(`record.py`) that completes the note is written by `writer.py`, which stands where LiteLLM's
database writer stood, into the files of `journal.py`. `applier.py` brings the records into
Postgres, rows and sums in one transaction (`statements.py`), and after a death goes on where
`reader.py` finds that it ended.
"""

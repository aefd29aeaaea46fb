"""The spend journal: what each answer costs is on disk before its last byte leaves.

`make_records.py` makes a record (`record.py`) of what a request used and cost. `spend_journal.py`
is what the gateway holds: it appends records to the files of `file_journal.py` and looks after the
applier, a process of its own (`applier.py`), which reads them (`reader.py`) and brings them into
the database exactly once, rows and totals in one transaction (`apply.py`). `tables.py` lists every
table and column that is written; `old_records.py` reads what version 0.1 has left.
"""

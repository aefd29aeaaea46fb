"""The spend journal: what each answer costs is on disk before its last byte leaves.

`make_records.py` makes a record (`record.py`) of what a request used and cost. `spend_journal.py`
is the gateway's part: it appends records to files (`file_journal.py`), and starts and restarts the
applier. The applier (`applier.py`) is a process of its own. It reads the records (`reader.py`) and
brings each of them into the database exactly once, with rows and totals in one transaction
(`apply.py`). `tables.py` lists every table and column that is written. `old_records.py` reads what
version 0.1 left behind.
"""

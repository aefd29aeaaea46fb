"""Backup and restore: one file with the database, the secrets that decrypt it, and the journal.

`create.py` writes a backup, `restore.py` brings it back, `verify.py` reads one without touching
anything. The file is a tar (`archive.py`) whose `manifest.py` says what is in it; with a passphrase
it is encrypted as it is written (`sealing.py`). The rows go through PostgreSQL's own programs
(`postgres_client.py`). `commands.py` has the command line.
"""

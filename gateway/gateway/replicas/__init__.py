"""What the gateways of one database know about each other, and what they share.

Begin with `replicas.py`: every few seconds each gateway reports that it is alive, and reads which
others are. `join.py` connects that with the rooms. `cooldowns.py` shares deployments in cooldown
through a table. A notification says only that there is something to read, so a lost one costs
nothing but time. `sharing.py` decides when budgets are shared. `lease_ledger.py` is the ledger in
the database that grants room in them, and `leases.py` asks it. `connections.py` counts PostgreSQL's
connections.
"""
